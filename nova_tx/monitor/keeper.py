"""Keeps the figures of L{nova_tx.metrics}, and tells them as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from nova_tx import metrics

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Keeper:
    """One for a process; memory, descriptors and CPU time of that are told, too."""

    def __init__(self) -> None:
        disable_created_metrics()  # a third of the page, and nobody reads it
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        metrics.connect(self._keep)

    def text(self) -> bytes:
        """All there is."""
        return generate_latest(self._registry)

    def forget(self) -> None:
        """Nothing is kept any more."""
        metrics.connect(lambda _: None)

    def _keep(self, metric: metrics.Metric) -> Callable[[tuple[str, ...]], Any]:
        real: Counter | Gauge | Histogram
        given = (metric.name, metric.meaning, metric.labels)
        if isinstance(metric, metrics.Histogram):
            real = Histogram(*given, registry=self._registry, buckets=metric.bounds)
        elif isinstance(metric, metrics.Counter):
            real = Counter(*given, registry=self._registry)
        else:
            real = Gauge(*given, registry=self._registry)
        if not metric.labels:
            return lambda _: real
        known: dict[tuple[str, ...], Any] = {}

        def of(values: tuple[str, ...]) -> Any:
            found = known.get(values)
            if found is None:
                found = known[values] = real.labels(*values)
            return found

        return of
