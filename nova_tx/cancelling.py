"""
Work that says CancelledError when it is cancelled, whatever is under it.

Not all of Twisted does: a connection that is given up says ConnectingCancelledError, or
DNSLookupError while a name is looked up, and a request says what became of its connection.  Who
goes by the error would hold that for a fault, or try again.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def cancellable(work: Deferred[T]) -> Deferred[T]:
    """What C{work} comes to; it is cancelled with this, and what it says of that is not heard."""
    cancelled = False

    def cancel(_: Deferred[T]) -> None:
        nonlocal cancelled
        cancelled = True
        work.cancel()

    def ended(result: T | Failure) -> None:
        if not cancelled:
            heard.callback(result)  # a Failure calls errbacks

    heard: Deferred[T] = Deferred(cancel)
    _ = work.addBoth(ended)
    return heard
