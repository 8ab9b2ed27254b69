"""Bodies on their way to another S3 and from it, each at the pace of who takes it."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

from nova_tx.paced import Paced

#: Bytes that have come and were not taken, from which on no more are asked for.
_ENOUGH = 2**18


class BrokenOff(Exception):
    """A body ended before its end."""


class GivenUp(Exception):
    """A body ended before its end since who sends it does not want that it arrives."""


@implementer(IBodyProducer)
class Whole:
    """A body that is in memory."""

    def __init__(self, content: bytes) -> None:
        self.length = len(content)
        self._content = content

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All of it was given at once."""

    def resumeProducing(self) -> None:
        """There is no more."""

    def stopProducing(self) -> None:
        """There is no more."""


@implementer(IBodyProducer)
class Outgoing(Paced):
    """A body that is given piece by piece."""

    def __init__(self, length: int) -> None:
        super().__init__(paused=True)
        self.length = length
        self._left = length
        self._consumer: Any = None
        self._ended: Deferred[None] = Deferred()

    async def write(self, piece: bytes | memoryview) -> None:
        """
        Send some more, as soon as it is taken.

        What is too much for the body is not sent: the sender finds out by its own count.

        @raise BrokenOff: nobody takes it any more.
        """
        await self._taken()
        piece = bytes(piece[: self._left])
        self._left -= len(piece)
        if piece:
            self._consumer.write(piece)

    async def end(self) -> None:
        """
        Say that this was all.

        @raise BrokenOff: it is not, or nobody takes it any more.
        """
        if self._left:
            await self._taken()
            raise BrokenOff("the body is shorter than was announced")
        # whoever has all may have answered and closed the connection by now
        if not self._ended.called:
            self._ended.callback(None)

    def abort(self) -> None:
        """Close the connection before the end of the body, so that nothing is kept of it."""
        self.stopped = True
        # who has not begun to take it never will
        if self._consumer is not None and not self._ended.called:
            self._ended.errback(Failure(GivenUp()))

    async def _taken(self) -> None:
        if not await self.turn():
            raise BrokenOff("nobody takes the body any more")

    # From the connection.

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        self.resumeProducing()
        return self._ended


class Incoming(Protocol):
    """A body that is taken piece by piece; what is not taken stays with who sends it."""

    transport: Any

    def __init__(self, clock: IReactorTime, patience: float) -> None:
        """
        @param patience: seconds until the next piece must be there.
        """
        self._clock = clock
        self._patience = patience
        self._come: list[bytes] = []
        self._held = 0
        self._paused = False
        self._over: Failure | None = None
        self._waiting: Deferred[None] | None = None
        self._alarm: IDelayedCall | None = None

    async def some(self) -> bytes:
        """
        What has come since the last time, a byte at least; nothing when that was all.

        @raise BrokenOff: it will never end, or stands still.
        """
        if not self._come and self._over is None:
            self._waiting = Deferred()
            self._alarm = self._clock.callLater(self._patience, self._late)
            if self._paused:
                self._paused = False
                self.transport.resumeProducing()
            try:
                await self._waiting
            finally:
                if self._alarm.active():
                    self._alarm.cancel()
        if self._come:
            found, self._come, self._held = b"".join(self._come), [], 0
            return found
        if self._over is not None and not self._over.check(ResponseDone):
            raise BrokenOff("the body broke off")
        return b""

    def abort(self) -> None:
        """No more is wanted: close the connection, if there would be more."""
        if self._over is None and self.transport is not None:
            self.transport.loseConnection()

    def _late(self) -> None:
        # not left to the connection: TLS closes only when the other side agrees
        self.abort()
        self._over = self._over or Failure(BrokenOff("the body stands still"))
        self._go_on()

    # From the connection.

    def dataReceived(self, data: bytes) -> None:
        self._come.append(data)
        self._held += len(data)
        if self._held >= _ENOUGH and not self._paused:
            self._paused = True
            self.transport.pauseProducing()
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = reason
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)


def incoming(response: IResponse, clock: IReactorTime, patience: float) -> Incoming:
    """The body of a response."""
    found = Incoming(clock, patience)
    response.deliverBody(found)
    return found
