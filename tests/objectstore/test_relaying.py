"""Pieces that come from elsewhere go on as fast as the client takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from nova_tx.objectstore.relaying import Relay
from nova_tx.testing.full_request import FullRequest


class Source:
    """Of three pieces; says how many it was asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error

    async def pieces(self) -> AsyncIterator[bytes]:
        """All, and then the error."""
        for piece in (b"first", b"second", b"third"):
            self.asked += 1
            yield piece
        if self.error is not None:
            raise self.error


def begun(request: FullRequest, source: Source, count: int) -> tuple[Relay, list[Any]]:
    """A relay at work, and where what comes of it will be."""
    relay = Relay(request, count)
    found: list[Any] = []
    sending = Deferred.fromCoroutine(relay.send(source.pieces()))
    sending.addBoth(found.append)
    return relay, found


def test_pace() -> None:
    """The next piece is asked for when the last was taken, and the last one's end is waited for."""
    request, source = FullRequest(), Source()
    relay, found = begun(request, source, 16)
    assert (request.found, source.asked, relay.awaited) == (b"first", 1, True)
    relay.resumeProducing()
    assert (request.found, source.asked, relay.awaited) == (b"firstsecond", 2, True)
    relay.resumeProducing()
    assert request.found == b"firstsecondthird" and found == [] and relay.awaited
    relay.resumeProducing()
    assert found == [True] and request.producer is None and not relay.awaited


def test_full_before() -> None:
    """Nothing is written while an answer of before is still on its way."""
    request = FullRequest(waiting=True)
    relay, _ = begun(request, Source(), 16)
    assert request.found == b"" and relay.awaited
    relay.resumeProducing()
    assert request.found == b"first"


def test_gone() -> None:
    """A client that goes away ends it, and nothing more is asked for."""
    request, source = FullRequest(), Source()
    relay, found = begun(request, source, 16)
    relay.stopProducing()
    assert found == [False] and source.asked == 1 and relay.taken == 5


def test_short() -> None:
    """Fewer bytes than were told are no whole answer, and the connection is given back."""
    request = FullRequest()
    relay, found = begun(request, Source(), 17)
    for _ in range(3):
        relay.resumeProducing()
    assert found == [False] and request.producer is None


def test_breaks_off() -> None:
    """What goes wrong with the pieces is who sends them told, and the connection is given back."""
    request, error = FullRequest(), ValueError("no more")
    relay, found = begun(request, Source(error), 100)
    for _ in range(3):
        relay.resumeProducing()
    assert found[0].value is error and request.producer is None
