"""A relay to a port of loopback, which can swallow the end of an upload, and cut it off."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.protocols.portforward import ProxyFactory, ProxyServer
from twisted.python.failure import Failure


class _Passing(ProxyServer):
    """A connection; C{left} is how many bytes more are passed on, None all."""

    factory: Any
    transport: Any
    left: int | None = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.passing.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.passing.discard(self)

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(b"PUT ") and self.factory.held is not None:
            self.left = self.factory.most
        if self.left is not None:
            data, self.left = data[: self.left], max(self.left - len(data), 0)
        if data:
            super().dataReceived(data)
        held = self.factory.held
        if self.left == 0 and held is not None:
            self.factory.held = None
            held.callback(None)


class Relay(ProxyFactory):
    """
    Listens on a free port of loopback.

    @ivar held: is to fire when of a PUT no more is passed on; None: all is passed on.
    """

    protocol = _Passing
    noisy = False

    def __init__(self, reactor: Any, target: int) -> None:
        super().__init__("127.0.0.1", target)
        self.passing: set[_Passing] = set()
        self.held: Deferred[None] | None = None
        self.most = 0
        self._listening = reactor.listenTCP(0, self, interface="127.0.0.1")

    @property
    def from_port(self) -> int:
        """Where it listens."""
        return int(self._listening.getHost().port)

    def hold(self, most: int) -> Deferred[None]:
        """Swallow all but the first bytes of the next PUT; fires when that has begun."""
        self.most = most
        self.held = Deferred()
        return self.held

    def cut(self) -> None:
        """End all connections, on both sides."""
        for each in tuple(self.passing):
            each.transport.abortConnection()

    async def close(self) -> None:
        """Listen no more."""
        await self._listening.stopListening()
        self.cut()
