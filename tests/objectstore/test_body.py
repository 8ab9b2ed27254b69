"""A body that comes by TLS is read on while it is written, but not far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import ISSLTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.bounds import AHEAD

PIECE = b"x" * 2**18


@implementer(ISSLTransport)
class Transport:  # type: ignore[misc]
    """Of which a body wants no more than this."""

    paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False


class Request:
    """A connection's."""

    def __init__(self) -> None:
        self.channel: Any = self
        self.transport = Transport()


class SlowPool:
    """Runs what it is given when it is told to."""

    def __init__(self) -> None:
        self.given: list[Callable[[], object]] = []

    def run(self, fn: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.given.append(lambda: maybeDeferred(fn, *args).chainDeferred(done))
        return done


def test_ahead() -> None:
    """While the disk is slow a mebibyte is taken, and the client waits until that is written."""
    request, pool, written = Request(), SlowPool(), bytearray()
    body = Body(request, 20 * len(PIECE), False)  # type: ignore[arg-type]
    pouring = Deferred.fromCoroutine(body.pour(written.extend, pool))  # type: ignore[arg-type]
    assert not request.transport.paused and body.awaited
    body.arrived(PIECE)
    for count in range(1, 6):
        assert not request.transport.paused and not body.awaited
        body.arrived(PIECE)
        assert request.transport.paused == (count == 5)
    pool.given.pop()()
    assert written == PIECE and not request.transport.paused
    pool.given.pop()()
    assert len(written) == 6 * len(PIECE) and body.awaited
    body.all_arrived()
    assert pouring.called


def test_ahead_in_crumbs() -> None:
    """Crumbs are joined on the way, in order, and count as the bytes that they are."""
    request, pool, written = Request(), SlowPool(), bytearray()
    body = Body(request, 20 * len(PIECE), False)  # type: ignore[arg-type]
    _ = Deferred.fromCoroutine(body.pour(written.extend, pool))  # type: ignore[arg-type]
    body.arrived(b"the first")
    sent = bytearray()
    while not request.transport.paused:
        crumb = len(sent).to_bytes(8, "big") * 200
        body.arrived(crumb)
        sent += crumb
        assert len(body._come) <= 65
    assert AHEAD < len(sent) <= AHEAD + 1600
    pool.given.pop()()
    pool.given.pop()()
    assert written == b"the first" + sent and not request.transport.paused


def test_ahead_no_more() -> None:
    """When what is written can't be, the client may send no more than is asked for."""
    request, pool = Request(), SlowPool()
    body = Body(request, 20 * len(PIECE), False)  # type: ignore[arg-type]
    failed = Deferred.fromCoroutine(body.pour(_full, pool))  # type: ignore[arg-type]
    body.arrived(PIECE)
    pool.given.pop()()
    _ = failed.addErrback(lambda failure: failure.trap(OSError))
    assert failed.result is OSError
    body.arrived(PIECE)
    assert request.transport.paused


def _full(piece: bytes | memoryview) -> None:
    raise OSError("full")


def test_not_poured() -> None:
    """Who takes a body by hand is given no more than it asked for."""
    request = Request()
    body = Body(request, 20 * len(PIECE), False)  # type: ignore[arg-type]
    taking = Deferred.fromCoroutine(body.some())
    body.arrived(PIECE)
    assert taking.result == PIECE and request.transport.paused


@pytest.mark.parametrize(
    "reason", [ConnectionDone(), ConnectionAborted(), SSL.Error([("SSL", "", "bad record mac")])]
)
async def test_lost(reason: Exception) -> None:
    """However a connection ends in the middle of a body, it is the client who is gone."""
    body = Body(Request(), 2**20, False)  # type: ignore[arg-type]
    taking = Deferred.fromCoroutine(body.some())
    body.lost(Failure(reason))
    for each in (taking, Deferred.fromCoroutine(body.some())):
        with pytest.raises(ConnectionLost):
            await each
