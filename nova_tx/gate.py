"""
At most so many at once, or in a second: who comes when it is full is told so, and may come again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.errors import TooManyRequests

_log = Logger()

#: Of a L{Pace}, from where on those are forgotten that are full.
_MOST_BUCKETS = 1000


class Gate:
    """
    Counts who is inside, and lets nobody in beyond its room.

    It says so in the log when it begins to turn people away, and again when it is half empty.
    """

    def __init__(self, what: str, room: int, share: int | None = None) -> None:
        """
        @param what: what is counted, for the log and for who is turned away.
        @param room: how many may be inside.
        @param share: how many of them for the same one; None: no less than for all.
        """
        self.inside = 0
        self._what = what
        self._room = max(1, room)
        self._share = self._room if share is None else max(1, share)
        self._of: Counter[Hashable] = Counter()
        self._refused = 0

    @contextmanager
    def entered(self, who: Hashable = None) -> Iterator[None]:
        """
        While in here, one more is inside.

        @raise TooManyRequests: there is no room, or C{who} has taken its share.
        """
        if self.inside >= self._room or self._of[who] >= self._share:
            self._turn_away()
        self.inside += 1
        self._of[who] += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._of[who] -= 1
            if not self._of[who]:
                del self._of[who]
            self._told()

    def _turn_away(self) -> None:
        if not self._refused:
            _log.warn("too many {what}: the next are refused", what=self._what)
        self._refused += 1
        raise TooManyRequests(f"Too many {self._what}; please try again later.")

    def _told(self) -> None:
        if self._refused and self.inside <= self._room // 2:
            _log.info("{n} {what} were refused", n=self._refused, what=self._what)
            self._refused = 0


class Pace:
    """
    So many steps a second of each, in the long run; a few more at once after a rest.

    A token bucket for each one who asks, forgotten when it is full again.
    """

    def __init__(self, what: str, rate: float, burst: int, clock: IReactorTime) -> None:
        """
        @param what: what is counted, for the log and for who is turned away.
        @param rate: steps per second; 0: no limit.
        @param burst: steps that may be made at once.
        """
        self._what = what
        self._rate = rate
        self._burst = max(1, burst)
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def step(self, who: Hashable) -> None:
        """
        One step more.

        @raise TooManyRequests: too soon.
        """
        if self._rate <= 0:
            return
        now = self._clock.seconds()
        left, then = self._buckets.get(who, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, now - then) * self._rate)
        if left < 1:
            raise TooManyRequests(f"Too many {self._what} per second; please try again later.")
        if len(self._buckets) >= _MOST_BUCKETS:
            self._forget(now)
        self._buckets[who] = (left - 1, now)

    def _forget(self, now: float) -> None:
        for who, (left, then) in list(self._buckets.items()):
            if left + (now - then) * self._rate >= self._burst:
                del self._buckets[who]
