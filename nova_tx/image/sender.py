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

from nova_tx.paced import Paced

T = TypeVar("T")

#: Bytes of the file that are in memory at once.
_PIECE = 2**18
#: Seconds in which what was sent must be safe where it came to.
_SAFE = 600.0


@implementer(IBodyProducer)
class FileSender(Paced):
    """
    Sends a file to who takes the body.

    @ivar length: bytes of the file.
    @ivar left: those that are still to be sent.
    @ivar moved: called after each piece that was given on.
    """

    def __init__(self, file: BinaryIO, length: int, reactor: Any) -> None:
        super().__init__()
        self.length = self.left = length
        self.moved: Callable[[], object] = lambda: None
        self._file = file
        self._reactor = reactor
        self._consumer: Any = None
        self._sent: Deferred[None] = Deferred()
        self._ended: Deferred[None] | None = None

    def ended(self) -> Deferred[None]:
        """Fires when the file is not read any more."""
        return self._ended or succeed(None)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        self._ended = Deferred()
        _ = Deferred.fromCoroutine(self._send()).addBoth(self._over)
        return self._sent

    async def _send(self) -> None:
        pool = self._reactor.getThreadPool()
        while self.left and await self.turn():
            count = min(_PIECE, self.left)
            self._came(await deferToThreadPool(self._reactor, pool, self._file.read, count))

    def _came(self, data: bytes) -> None:
        if not data:
            raise EOFError("the file is shorter than it was")
        if not self.stopped:
            self.left -= len(data)
            self._consumer.write(data)
            self.moved()

    def _over(self, result: Failure | None) -> None:
        assert self._ended is not None
        self._ended.callback(None)
        if not self.stopped:
            self._sent.callback(result)  # a failure, too


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
