"""
A bound on the connections to a door: a few more are told to come back, all others are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

_log = Logger()

#: Of a door's connections, the part that may be there beyond them, only to be told so.
_BEYOND = 10
#: Seconds in which who is turned away must have asked something, and read the answer.
_PATIENCE = 10.0


@implementer(IProtocolFactory)
class Crowd:
    """
    A factory that has at most so many connections at once.

    Memory and file descriptors are taken by connections, before any request is counted.
    """

    def __init__(
        self, factory: IProtocolFactory, room: int, clock: IReactorTime, answer: bytes
    ) -> None:
        """
        @param answer: a whole HTTP response.
        """
        self.inside = 0
        self._factory = factory
        self._room = max(1, room)
        self._clock = clock
        self._answer = answer
        self._full = False

    @property
    def most(self) -> int:
        """Connections that may be there, with those that are turned away."""
        return self._room + self._room // _BEYOND + 1

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        if self.inside >= self.most:
            return None
        if self.inside >= self._room:
            if not self._full:
                _log.warn("there are {n} connections: the next are refused", n=self._room)
            self._full = True
            return self._counted(_TurnedAway(self._answer, self._clock))
        built = self._factory.buildProtocol(addr)
        return None if built is None else self._counted(built)

    def _counted(self, protocol: Any) -> IProtocol:
        """The same, which says so when its connection is over."""
        self.inside += 1
        lost: Callable[[Failure], None] = protocol.connectionLost

        def left(reason: Failure = connectionDone) -> None:
            self.inside -= 1
            if self._full and self.inside <= self._room // 2:
                self._full = False
                _log.info("there is room for connections again")
            lost(reason)

        protocol.connectionLost = left
        counted: IProtocol = protocol
        return counted


class _TurnedAway(Protocol):
    """Answers whatever is asked in one way."""

    transport: ITCPTransport

    def __init__(self, answer: bytes, clock: IReactorTime) -> None:
        self._answer = answer
        self._clock = clock

    def connectionMade(self) -> None:
        self._alarm = self._clock.callLater(_PATIENCE, self.transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        answer, self._answer = self._answer, b""
        self.transport.write(answer)
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._alarm.active():
            self._alarm.cancel()


def refusal(body: bytes) -> bytes:
    """The response 503 with an XML document."""
    head = (
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: text/xml\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Retry-After: 1\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
