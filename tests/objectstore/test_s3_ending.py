"""The end of a daemon: what is in hand comes to its end, and nothing else is begun."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.site import StreamingSite

REQUEST = b"GET /bucket/key HTTP/1.1\r\nHost: here\r\n\r\n"


class Door:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Deferred[None]] = []

    async def serve(self, request: StreamingRequest, request_id: str) -> None:
        waiting: Deferred[None] = Deferred()
        self.asked.append(waiting)
        await waiting
        request.answer(200, {}, b"content")


def _connection(site: StreamingSite) -> tuple[Any, StringTransport]:
    connection: Any = site.buildProtocol(None)
    transport = StringTransport()
    connection.makeConnection(transport)
    return connection, transport


def test_nothing_is_begun() -> None:
    """While a daemon ends who has a connection yet is not served, and what was begun is."""
    door = Door()
    site = StreamingSite(door, Clock(), 60.0)  # type: ignore[arg-type]
    site.startFactory()
    slow, answer = _connection(site)
    kept, refused = _connection(site)
    slow.dataReceived(REQUEST)
    draining = Deferred.fromCoroutine(site.drain())
    kept.dataReceived(REQUEST)
    assert (len(door.asked), refused.value(), refused.disconnected) == (1, b"", True)
    assert not draining.called
    door.asked[0].callback(None)
    assert draining.called and answer.value().endswith(b"content")
    site.stopFactory()
    site.startFactory()
    again, begun = _connection(site)
    again.dataReceived(REQUEST)
    assert len(door.asked) == 2 and not begun.disconnected
