"""The body of an answer, given on as it arrives; it may not stand still for long."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse

from nova_tx.errors import ImageError


class _Receiver(Protocol):
    def __init__(
        self, clock: IReactorTime, patience: float, write: Callable[[bytes], object]
    ) -> None:
        self.ended: Deferred[int] = Deferred(lambda _: self._abort())
        self._patience = patience
        self._write = write
        self._count = 0
        self._failure: Failure | None = None
        self._alarm: IDelayedCall = clock.callLater(patience, self._late)

    def dataReceived(self, data: bytes) -> None:
        if self._failure is not None:
            return
        self._alarm.reset(self._patience)
        self._count += len(data)
        try:
            self._write(data)
        except Exception:
            self._failure = Failure()
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._alarm.active():
            self._alarm.cancel()
        if self.ended.called:
            return
        if self._failure is not None:
            self.ended.errback(self._failure)
        elif reason.check(ResponseDone):
            self.ended.callback(self._count)
        else:
            self.ended.errback(Failure(ImageError("the transfer broke off")))

    def _late(self) -> None:
        self._failure = Failure(ImageError("the transfer stood still for too long"))
        self._abort()

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def receive(
    response: IResponse,
    write: Callable[[bytes], object],
    clock: IReactorTime,
    patience: float,
) -> Deferred[int]:
    """
    Give each piece of a body to C{write}; the number of bytes, when it has ended.

    @param patience: seconds until the next piece must be there.
    @raise ImageError: it broke off or stood still. Also what C{write} raises.
    """
    receiver = _Receiver(clock, patience, write)
    response.deliverBody(receiver)
    return receiver.ended
