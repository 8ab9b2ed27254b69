"""Pieces on their way to a client that come from elsewhere, at the pace at which it takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from nova_tx.objectstore.link import waiting
from nova_tx.paced import Paced


class Relay(Paced):
    """
    Writes pieces to a request.

    @ivar sent: bytes so far.
    @ivar awaited: it is the client's turn to take.
    """

    def __init__(self, request: Any, count: int) -> None:
        """
        @param count: bytes of all pieces.
        """
        # answers of before may still be on their way
        super().__init__(request.channel._waitingForTransport)
        self.sent = 0
        self._request = request
        self._count = count

    @property
    def taken(self) -> int:
        """Those of them that the client has taken."""
        if self.stopped or self._request.channel is None:
            return self.sent
        return max(0, self.sent - waiting(self._request.channel.transport))

    async def send(self, pieces: AsyncIterator[bytes]) -> bool:
        """Send all pieces, none of which is empty; whether the client got as much as it should."""
        self._request.registerProducer(self, True)
        try:
            while await self.turn() and (piece := await anext(pieces, b"")):
                if await self.turn():
                    self._request.write(piece)
                    self.sent += len(piece)
                del piece  # it is the connection's, perhaps for long
        finally:
            if not self.stopped:
                self._request.unregisterProducer()
        return not self.stopped and self.sent == self._count
