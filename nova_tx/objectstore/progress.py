"""How far the making of an image is: known at once, written down now and then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nova_tx.periodic import Periodic

#: Seconds between two entries: what is done sooner writes none.
EVERY = 2.0


class Progress:
    """
    Per cent of one work, of several stages.

    Told by any thread, for that is one assignment; written down by the reactor's.
    """

    def __init__(self, write: Callable[[int], Awaitable[None]], clock: Any) -> None:
        """
        @param write: writes down per cent.
        """
        self._write = write
        self._reached = 0
        self._written = 0
        self._periodic = Periodic(clock, EVERY, self._tell, "writing down how far an image is")

    def begin(self) -> None:
        """The work begins."""
        self._reached = self._written = 0
        self._periodic.startService()

    async def end(self) -> None:
        """The work is over; when this returns nothing more is written."""
        await self._periodic.stopService()

    def stage(self, first: int, last: int, whole: int) -> Callable[[int], None]:
        """
        A stage, from C{first} to C{last} per cent of the work: told how much of C{whole} is done.
        """

        def report(done: int) -> None:
            self._reached = first + (last - first) * min(done, whole) // max(whole, 1)

        return report

    async def _tell(self) -> None:
        reached = self._reached
        if reached != self._written:
            await self._write(reached)
            self._written = reached
