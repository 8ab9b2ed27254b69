"""Who writes to a connection as fast as it takes what is written, and awaits its turn."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Paced:
    """
    A producer that is a coroutine.

    @ivar awaited: it waits until more is taken.
    @ivar stopped: nothing is taken any more.
    """

    def __init__(self, paused: bool = False) -> None:
        """
        @param paused: nothing is taken yet.
        """
        self.awaited = False
        self.stopped = False
        self._paused = paused
        self._waiting: Deferred[None] | None = None

    async def turn(self) -> bool:
        """Wait until more is taken; whether it is."""
        while self._paused and not self.stopped:
            self._waiting = Deferred()
            self.awaited = True
            try:
                await self._waiting
            finally:
                self.awaited = False
        return not self.stopped

    # From the connection.

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self.stopped = True
        self._go_on()

    def _go_on(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)
