"""
Casts on their way to the broker: waited for a while, and sent also if nobody waits any more.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from nova_tx import metrics
from nova_tx.errors import Unavailable

_log = Logger()


class Outbox:
    """
    Messages that the broker has not confirmed; they are bounded in number, and so is the wait.

    While it is away, or blocked, only the first ones cost their senders time:
    once one has waited in vain nobody waits, until one is confirmed.
    """

    def __init__(self, clock: IReactorTime, patience: float, room: int) -> None:
        """
        @param patience: seconds that a sender waits.
        @param room: how many messages may wait.
        """
        self._clock = clock
        self._patience = patience
        self._room = max(1, room)
        self._waiting: dict[Deferred[None], float] = {}

    async def send(self, start: Callable[[], Deferred[None]], what: str) -> None:
        """
        Have a message sent; done when the broker has it safely.

        @param start: begins to send it.
        @raise Unavailable: it is not safe yet, and will be sent when the
            broker takes it; or too many wait already, and it will not.
        """
        if len(self._waiting) >= self._room:
            raise Unavailable(f"{what} is not sent: too many messages wait for the broker")
        sending = start()
        told: Deferred[None] = Deferred()

        def settled(result: Failure | None) -> None:
            self._waiting.pop(sending, None)
            metrics.OUTBOX_WAITING.put(len(self._waiting))
            if not told.called:
                told.callback(result)  # a Failure calls errbacks
            elif isinstance(result, Failure) and not result.check(CancelledError):
                _log.warn("{what}: {error}", what=what, error=result.getErrorMessage())

        self._waiting[sending] = self._clock.seconds()
        metrics.OUTBOX_WAITING.put(len(self._waiting))
        _ = sending.addBoth(settled)
        if not told.called:
            alarm = self._clock.callLater(self._left(), self._late, told, what)
            _ = told.addBoth(_cancelling, alarm)
        await told

    def close(self) -> None:
        """Give up what waits: the rows that it was about say so to whoever looks at them."""
        for sending in list(self._waiting):
            sending.cancel()

    def _left(self) -> float:
        """Seconds of patience, counted from the oldest message that waits."""
        oldest = next(iter(self._waiting.values()))
        return max(0.0, oldest + self._patience - self._clock.seconds())

    def _late(self, told: Deferred[None], what: str) -> None:
        told.errback(
            Unavailable(f"{what} could not be sent in {self._patience:g} s; it is sent later")
        )


def _cancelling(result: Failure | None, alarm: IDelayedCall) -> Failure | None:
    if alarm.active():
        alarm.cancel()
    return result
