"""
Which request a line of the log belongs to.

What is said is said to C{twisted.logger}; how it is written is L{nova_tx.log.lines}'.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from nova_tx.context import RequestContext

_log = Logger()

#: The request that is being worked on; follows coroutines, Deferreds' contexts, and into threads.
request: ContextVar[RequestContext | None] = ContextVar("request", default=None)


class Said:
    """
    How much is said.

    @cvar all: DEBUG lines are written; for who would say something of every message.
    """

    all = False


@contextmanager
def in_context(context: RequestContext) -> Iterator[None]:
    """Lines logged inside belong to this request."""
    token = request.set(context)
    try:
        yield
    finally:
        request.reset(token)


def belongs_to(context: RequestContext) -> None:
    """From now on what this coroutine logs, and what it awaits, belongs to this request."""
    request.set(context)


def background(work: Coroutine[Deferred[Any], Any, Any], what: str) -> Deferred[None]:
    """Start work that nobody waits for; its failure is logged."""

    def failed(failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("{what} failed", failure=failure, what=what)

    started: Deferred[Any] = Deferred.fromCoroutine(work)
    return started.addErrback(failed)
