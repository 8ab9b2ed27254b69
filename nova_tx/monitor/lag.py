"""How late the event loop is: what blocks it shows here."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from nova_tx import metrics

#: Seconds between two looks.
INTERVAL = 1.0


class Lag:
    """Measures while it runs."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        due = self._clock.seconds() + INTERVAL
        self._next = self._clock.callLater(INTERVAL, self._look, due)

    def stop(self) -> None:
        """End."""
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _look(self, due: float) -> None:
        metrics.REACTOR_LAG.observe(max(0.0, self._clock.seconds() - due))
        self.start()
