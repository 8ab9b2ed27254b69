"""What is counted: nothing until somebody wants it, then as Prometheus reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock

from nova_tx import metrics
from nova_tx.context import RequestContext
from nova_tx.flags import BusFlags
from nova_tx.monitor.keeper import Keeper
from nova_tx.monitor.lag import Lag
from nova_tx.rpc.memory import MemoryRPC

CHECKOUT = Path(__file__).resolve().parents[2]
Figures = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """Figures are kept."""
    made = Keeper()
    yield made
    made.forget()


def figures(keeper: Keeper) -> Figures:
    """What is told, by name and labels' values."""
    families = text_string_to_metric_families(keeper.text().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_names() -> None:
    """Names are those that Prometheus wants: base units at their end, and each but once."""
    names = [each.name for each in metrics.ALL]
    assert len(set(names)) == len(names) > 20
    for each in metrics.ALL:
        assert re.fullmatch(r"nova_tx_[a-z0-9_]+", each.name) and each.meaning
        assert each.name.endswith("_total") == isinstance(each, metrics.Counter)
        assert each.name.endswith("_seconds") == isinstance(each, metrics.Histogram)


def test_nothing_is_kept_unless_wanted(keeper: Keeper) -> None:
    """What happens before and after somebody wants figures is not counted, and costs no memory."""
    metrics.API_REQUESTS.add("DescribeImages", "200")
    keeper.forget()
    metrics.API_REQUESTS.add("DescribeImages", "200")
    found = figures(keeper)
    assert found["nova_tx_api_requests_total", ("DescribeImages", "200")] == 1
    assert all(each.of is None for each in metrics.ALL)


def test_kinds(keeper: Keeper) -> None:
    """Counters grow, gauges come and go, histograms know how many took how long."""
    metrics.S3_BYTES_IN.add("PutObject", n=100)
    metrics.S3_BYTES_IN.add("PutObject", n=11)
    metrics.THREADS_BUSY.add(2, "database")
    metrics.THREADS_BUSY.add(-1, "database")
    metrics.OUTBOX_WAITING.put(7)
    metrics.API_SECONDS.observe(0.02, "RunInstances")
    found = figures(keeper)
    assert found["nova_tx_s3_received_bytes_total", ("PutObject",)] == 111
    assert found["nova_tx_threads_busy", ("database",)] == 1
    assert found["nova_tx_outbox_waiting", ()] == 7
    assert found["nova_tx_api_request_seconds_count", ("RunInstances",)] == 1
    assert found["nova_tx_api_request_seconds_bucket", ("RunInstances", "0.025")] == 1
    assert found["nova_tx_api_request_seconds_bucket", ("RunInstances", "0.01")] == 0
    assert found["process_resident_memory_bytes", ()] > 0
    assert found["process_open_fds", ()] > 0


class Service:
    """A service with one method."""

    async def remote_look(self, context: RequestContext) -> int:
        return 1


async def test_messages(keeper: Keeper) -> None:
    """A call is counted where it is sent and where it is handled; names come from us alone."""
    clock = Clock()
    bus = MemoryRPC(BusFlags(), clock)
    await bus.serve("compute", "a", Service())
    context = RequestContext(user="john", project="physics")
    assert await bus.call(context, "compute", "look", {}) == 1
    await bus.cast(context, "compute", "no_such_method", {})
    await bus.close()
    found = figures(keeper)
    assert found["nova_tx_rpc_sent_total", ("call", "look")] == 1
    assert found["nova_tx_rpc_call_seconds_count", ("look",)] == 1
    assert found["nova_tx_rpc_handled_total", ("look", "done")] == 1
    assert found["nova_tx_rpc_handled_total", ("unknown", "refused")] == 1
    assert found["nova_tx_rpc_in_hand", ()] == 0
    assert found["nova_tx_rpc_waiting", ()] == 0


async def test_messages_that_wait(keeper: Keeper) -> None:
    """Messages in hand and in waiting are counted, and those that are given back no more."""
    begun: Deferred[None] = Deferred()

    class Slow:
        async def remote_look(self, context: RequestContext, instance_id: int) -> None:
            await begun

    bus = MemoryRPC(BusFlags(), Clock())
    serving = await bus.serve("compute", "a", Slow())
    john = RequestContext(user="john", project="physics")
    for _ in range(3):
        await bus.cast(john, "compute", "look", {"instance_id": 1})  # in turn
    found = figures(keeper)
    assert found["nova_tx_rpc_in_hand", ()] == 1 and found["nova_tx_rpc_waiting", ()] == 2
    stopping = maybeDeferred(serving.stop)
    assert figures(keeper)["nova_tx_rpc_waiting", ()] == 0
    begun.callback(None)
    await stopping
    assert figures(keeper)["nova_tx_rpc_in_hand", ()] == 0
    await bus.close()


def test_lag(keeper: Keeper) -> None:
    """Each second it is measured by how much the loop is late."""
    clock = Clock()
    lag = Lag(clock)
    lag.start()
    clock.advance(1.0)
    clock.advance(3.0)  # two seconds late
    lag.stop()
    assert not clock.getDelayedCalls()
    found = figures(keeper)
    assert found["nova_tx_reactor_lag_seconds_count", ()] == 2
    assert found["nova_tx_reactor_lag_seconds_sum", ()] == 2.0


def test_the_dashboard_asks_for_what_there_is(keeper: Keeper) -> None:
    """Every metric that etc/grafana/nova_tx.json names is told, and none of ours is left out."""
    for metric in metrics.ALL:
        assert metric.of is not None
        metric.of(("x",) * len(metric.labels))
    told = {name for name, _ in figures(keeper)}
    dashboard = json.loads((CHECKOUT / "etc" / "grafana" / "nova_tx.json").read_text())
    asked = " ".join(
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())
    )
    names = set(re.findall(r"\b(?:nova_tx|process|python)_[a-z0-9_]+", asked))
    assert names - told == set()
    missing = {
        each.name for each in metrics.ALL if not any(name.startswith(each.name) for name in names)
    }
    assert missing == set()


def test_not_imported_when_off() -> None:
    """A daemon that nobody monitors does not spend time on the library."""
    code = (
        "import sys, nova_tx.taps.all, nova_tx.taps.parts, nova_tx.taps.build;"
        "print([each for each in sys.modules if each.startswith('prometheus')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT
    )
    assert done.stdout == "[]\n", done.stderr
