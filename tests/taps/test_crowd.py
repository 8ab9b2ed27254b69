"""Connections are bounded: told so beyond the bound, closed beyond that, let in again."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import fromstring

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from nova_tx.api.ec2 import xml
from nova_tx.taps.crowd import Crowd, refusal


class Line:
    """A crowd of ten, and its connections."""

    def __init__(self) -> None:
        self.clock = Clock()
        answer = refusal(xml.failure("RequestLimitExceeded", "Too many connections.", "r-1"))
        self.crowd = Crowd(Factory.forProtocol(Protocol), 10, self.clock, answer)

    def come(self) -> tuple[Any, StringTransport]:
        transport = StringTransport()
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        protocol: Any = self.crowd.buildProtocol(None)  # type: ignore[arg-type]
        if protocol is not None:
            protocol.makeConnection(transport)
        return protocol, transport


def gone(protocol: Any) -> None:
    """The other end has closed it."""
    protocol.connectionLost(Failure(ConnectionError()))


def test_one_too_many_is_told_in_xml() -> None:
    """A connection beyond the bound gets 503 with the door's own XML, and is closed."""
    line = Line()
    inside = [line.come()[0] for _ in range(10)]
    protocol, transport = line.come()
    protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    head, _, body = transport.value().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ") and transport.disconnecting
    assert fromstring(body).findtext(".//Code") == "RequestLimitExceeded"
    assert f"Content-Length: {len(body)}".encode() in head
    gone(protocol)
    assert line.clock.getDelayedCalls() == [] and line.crowd.inside == 10
    for each in inside:
        gone(each)
    assert line.crowd.inside == 0


def test_many_too_many_are_closed() -> None:
    """Those that are turned away are bounded too."""
    line = Line()
    there = [line.come()[0] for _ in range(20)]
    assert sum(each is not None for each in there) == line.crowd.inside == 12


def test_who_is_turned_away_does_not_stay() -> None:
    """A connection that asks nothing, and there was no room for, is cut off."""
    line = Line()
    for _ in range(10):
        line.come()
    _, transport = line.come()
    line.clock.advance(10)
    assert transport.disconnecting


def test_room_again() -> None:
    """When one has gone, the next is served."""
    line = Line()
    inside = [line.come()[0] for _ in range(10)]
    gone(inside.pop())
    assert type(line.come()[0]) is Protocol
