"""
What was found a moment ago is not looked up again.

What is taken away is believed for at most L{SECONDS} more; what is given is there at once, for
failures are not remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from nova_tx.once import Once

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

#: Seconds for which something is believed to be as it was found.
SECONDS = 1.0
#: Findings that are remembered.
_MOST = 1000


class Recent(Generic[K, T]):
    """Findings by what was asked; who asks for the same at the same time shares one look-up."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._found: dict[K, tuple[float, T]] = {}
        self._once: Once[T] = Once()
        self._age = 0

    async def find(self, asked: K, look_up: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> T:
        """What C{look_up} found a moment ago, or else finds now."""
        now, age = self._clock.seconds(), self._age
        known = self._found.get(asked)
        # a clock that was set back must not have anything believed for longer
        if known is not None and known[0] - SECONDS <= now < known[0]:
            return known[1]
        found = await self._once.do(f"{age} {asked!r}", look_up)
        if age == self._age:
            if len(self._found) >= _MOST:
                self._found.clear()
            # counted from when it was asked: what changed since may not have been seen
            self._found[asked] = (now + SECONDS, found)
        return found

    def forget(self, these: Callable[[K], bool]) -> None:
        """Look these up when next asked; what is being looked up now may be of before."""
        self._age += 1
        for asked in [each for each in self._found if these(each)]:
            del self._found[asked]
