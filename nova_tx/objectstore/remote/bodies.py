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
class Outgoing:
    """A body that is given piece by piece."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._left = length
        self._consumer: Any = None
        self._paused = False
        self._stopped = False
        self._ended: Deferred[None] = Deferred()
        self._waiting: Deferred[None] | None = None

    async def write(self, piece: bytes | memoryview) -> None:
        """
        Send some more; returns when yet more may be sent.

        What is too much for the body is not sent: the sender finds out by its own count.

        @raise BrokenOff: nobody takes it any more.
        """
        await self._turn()
        piece = bytes(piece[: self._left])
        self._left -= len(piece)
        if piece:
            self._consumer.write(piece)

    async def end(self) -> None:
        """
        Say that this was all.

        @raise BrokenOff: it is not, or nobody takes it any more.
        """
        await self._turn()
        if self._left:
            raise BrokenOff("the body is shorter than was announced")
        if not self._ended.called:
            self._ended.callback(None)

    def abort(self) -> None:
        """Close the connection before the end of the body, so that nothing is kept of it."""
        self._stopped = True
        # who has not begun to take it never will
        if self._consumer is not None and not self._ended.called:
            self._ended.errback(Failure(GivenUp()))

    async def _turn(self) -> None:
        while not self._stopped and (self._consumer is None or self._paused):
            self._waiting = Deferred()
            await self._waiting
        if self._stopped:
            raise BrokenOff("nobody takes the body any more")

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    # From the connection.

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        self._go_on()
        return self._ended

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._stopped = True
        self._go_on()


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
            self._alarm = self._clock.callLater(self._patience, self.abort)
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
