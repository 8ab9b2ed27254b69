"""What is said of messages, and counted, where they are sent and where they are handled."""

from __future__ import annotations

from time import perf_counter

from twisted.logger import Logger

from nova_tx import metrics
from nova_tx.log import Said, in_context
from nova_tx.rpc.envelope import Request

_log = Logger()


def sent(request: Request, topic: str) -> None:
    """A message is about to be sent."""
    kind = "cast" if request.reply is None else "call"
    metrics.RPC_SENT.add(kind, request.method)
    if Said.all:
        with in_context(request.context):
            _log.debug("{kind} {method} to {topic}", kind=kind, method=request.method, topic=topic)


def answered(request: Request, began: float) -> None:
    """A call that was sent has its answer, or will have none."""
    metrics.RPC_CALL_SECONDS.observe(perf_counter() - began, request.method)


def taken(request: Request) -> None:
    """A message is begun; who says so is in its context."""
    if Said.all:
        _log.debug("takes {method}", method=request.method)


def handled(method: str, outcome: str, began: float) -> None:
    """
    A message was handled; who says so is in its context.

    @param method: one that there is, or C{unknown}.
    @param outcome: C{done}, C{refused} (a declared error) or C{failed}.
    """
    seconds = perf_counter() - began
    metrics.RPC_HANDLED.add(method, outcome)
    metrics.RPC_HANDLE_SECONDS.observe(seconds, method)
    if Said.all:
        _log.debug(
            "{method} is {outcome} in {seconds:.3f} s",
            method=method,
            outcome=outcome,
            seconds=seconds,
        )
