"""The body of a request: a file, read by threads a piece at a time, as fast as it is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

T = TypeVar("T")

#: Bytes of the file that are in memory at once.
_PIECE = 2**18
#: Seconds in which what was sent must be safe where it came to.
_SAFE = 600.0


@implementer(IBodyProducer)
class FileSender:
    """
    Sends a file to who takes the body.

    @ivar length: bytes of the file.
    @ivar moved: called after each piece that was given on.
    """

    def __init__(self, file: BinaryIO, length: int, reactor: Any) -> None:
        self.length = length
        self.moved: Callable[[], object] = lambda: None
        self._file = file
        self._left = length
        self._reactor = reactor
        self._consumer: Any = None
        self._sent: Deferred[None] = Deferred()
        self._ended: Deferred[None] | None = None
        self._reading = self._paused = self._stopped = False

    @property
    def left(self) -> int:
        """Bytes still to be sent."""
        return self._left

    def ended(self) -> Deferred[None]:
        """Fires when the file is not read any more."""
        return self._ended or succeed(None)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        self._ended = Deferred()
        self._go_on()
        return self._sent

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._stopped = True
        self._go_on()

    def _go_on(self) -> None:
        if self._reading or self._ended is None or self._ended.called:
            return
        if self._stopped:
            self._ended.callback(None)
        elif not self._left:
            self._ended.callback(None)
            self._sent.callback(None)
        elif not self._paused:
            self._reading = True
            pool = self._reactor.getThreadPool()
            reading = deferToThreadPool(
                self._reactor, pool, self._file.read, min(_PIECE, self._left)
            )
            _ = reading.addCallback(self._came).addErrback(self._failed)

    def _came(self, data: bytes) -> None:
        self._reading = False
        if not data:
            raise EOFError("the file is shorter than it was")
        if not self._stopped:
            self._left -= len(data)
            self._consumer.write(data)
            self.moved()
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        self._reading = False
        assert self._ended is not None
        if not self._ended.called:
            self._ended.callback(None)
        if not self._stopped:
            self._sent.errback(failure)


async def within(
    asked: Deferred[T], patience: float, body: FileSender | bytes, clock: IReactorTime
) -> T:
    """
    The answer to a request, which may not stand still for long.

    @param patience: seconds until a piece of its body must be taken, or the answer be there.
    @raise TimeoutError: it stood still.
    """
    late = False

    def cut() -> None:
        nonlocal late
        late = True
        asked.cancel()

    alarm = clock.callLater(patience, cut)

    def moved() -> None:
        assert isinstance(body, FileSender)
        if alarm.active():
            alarm.reset(patience if body.left else _SAFE)

    if isinstance(body, FileSender):
        body.moved = moved
    try:
        return await asked
    except Exception as error:  # what a connection that is cut says, or CancelledError
        if late:
            raise TimeoutError(patience, "request") from error
        raise
    finally:
        if alarm.active():
            alarm.cancel()
