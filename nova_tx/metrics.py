"""
What is counted and measured, for whoever wants to know how a daemon fares.

Counting costs next to nothing until L{connect} is called, which flag C{metrics_port} does.
Labels have few values: names of actions, methods and pools, never of users or instances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: What all names begin with.
PREFIX = "nova_tx_"

#: Seconds, up to what an answer may take.
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Seconds, up to what a guest or an image may take.
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

ALL: list[Metric] = []


class Metric:
    """
    A figure for each combination of its labels' values.

    @ivar of: what keeps the figures, by their labels' values; None: nobody wants them.
    """

    def __init__(self, name: str, meaning: str, *labels: str) -> None:
        """
        @param name: without the prefix; the unit is at its end.
        """
        self.name = PREFIX + name
        self.meaning = meaning
        self.labels = labels
        self.of: Callable[[tuple[str, ...]], Any] | None = None
        ALL.append(self)


class Counter(Metric):
    """Something that only grows; its name ends in C{_total}."""

    def add(self, *values: str, n: float = 1) -> None:
        """So many more."""
        if self.of is not None:
            self.of(values).inc(n)


class Gauge(Metric):
    """Something that comes and goes."""

    def add(self, n: float, *values: str) -> None:
        """So many more, or fewer."""
        if self.of is not None:
            self.of(values).inc(n)

    def put(self, n: float, *values: str) -> None:
        """So many."""
        if self.of is not None:
            self.of(values).set(n)


class Histogram(Metric):
    """How often something took how long, in seconds."""

    def __init__(
        self, name: str, meaning: str, *labels: str, bounds: tuple[float, ...] = _QUICK
    ) -> None:
        super().__init__(name, meaning, *labels)
        self.bounds = bounds

    def observe(self, seconds: float, *values: str) -> None:
        """It took that long once more."""
        if self.of is not None:
            self.of(values).observe(seconds)


def connect(keeper: Callable[[Metric], Callable[[tuple[str, ...]], Any] | None]) -> None:
    """From now on figures are kept."""
    for each in ALL:
        each.of = keeper(each)


API_REQUESTS = Counter("api_requests_total", "requests answered", "action", "code")
API_SECONDS = Histogram("api_request_seconds", "until a request was answered", "action")

S3_REQUESTS = Counter("s3_requests_total", "S3 requests answered", "operation", "code")
S3_SECONDS = Histogram(
    "s3_request_seconds", "until an S3 request was answered", "operation", bounds=_SLOW
)
S3_BYTES_IN = Counter("s3_received_bytes_total", "bytes of bodies that came", "operation")
S3_BYTES_OUT = Counter("s3_sent_bytes_total", "bytes of bodies that went", "operation")

RPC_SENT = Counter("rpc_sent_total", "messages sent, by kind: cast or call", "kind", "method")
RPC_CALL_SECONDS = Histogram("rpc_call_seconds", "until a call was answered", "method")
RPC_HANDLED = Counter(
    "rpc_handled_total", "messages handled, by what came of it", "method", "outcome"
)
RPC_HANDLE_SECONDS = Histogram(
    "rpc_handle_seconds", "that a message took to be handled", "method", bounds=_SLOW
)
RPC_IN_HAND = Gauge("rpc_in_hand", "messages that are being handled")
RPC_WAITING = Gauge("rpc_waiting", "messages that were fetched and wait for their turn")
OUTBOX_WAITING = Gauge("outbox_waiting", "messages that the broker has not confirmed")

DATABASE_RETRIES = Counter(
    "database_retries_total", "transactions run again, by reason: lost or contended", "reason"
)
THREADS_BUSY = Gauge("threads_busy", "threads at work; pool database runs transactions", "pool")
THREADS_WAIT = Histogram("threads_wait_seconds", "until a thread was free", "pool")
THREADS_RUN = Histogram("threads_run_seconds", "that a thread was at it", "pool", bounds=_SLOW)

LIBVIRT_SECONDS = Histogram("libvirt_seconds", "that libvirt took", "call", bounds=_SLOW)
PROGRAM_SECONDS = Histogram("program_seconds", "that another program took", "program", bounds=_SLOW)
INSTANCES = Gauge("instances", "instances of this host, by state", "state")
REACTOR_LAG = Histogram("reactor_lag_seconds", "that the event loop was late by, each second")
