"""Pieces on their way to a client that come from elsewhere, at the pace at which it takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from nova_tx.objectstore.link import waiting


@implementer(IPushProducer)
class Relay:
    """
    Writes pieces to a request.

    @ivar sent: bytes so far.
    @ivar awaited: it is the client's turn to take.
    """

    def __init__(self, request: Any, count: int) -> None:
        """
        @param count: bytes of all pieces.
        """
        self.sent = 0
        self.awaited = False
        self._request = request
        self._count = count
        self._paused = False
        self._stopped = False
        self._waiting: Deferred[None] | None = None

    @property
    def taken(self) -> int:
        """Those of them that the client has taken."""
        if self._stopped or self._request.channel is None:
            return self.sent
        return max(0, self.sent - waiting(self._request.channel.transport))

    async def send(self, piece: bytes, more: AsyncIterator[bytes]) -> bool:
        """Send a piece and those that follow; whether the client got as much as it should."""
        self._request.registerProducer(self, True)
        try:
            while piece and self._goes_on():
                self._request.write(piece)
                self.sent += len(piece)
                await self._turn()
                piece = await anext(more, b"") if self._goes_on() else b""
        finally:
            if self._goes_on():
                self._request.unregisterProducer()
        return self._goes_on() and self.sent == self._count

    def _goes_on(self) -> bool:
        return not self._stopped

    async def _turn(self) -> None:
        if self._paused and self._goes_on():
            self._waiting = Deferred()
            self.awaited = True
            try:
                await self._waiting
            finally:
                self.awaited = False

    # From the connection.

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._stopped = True
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
