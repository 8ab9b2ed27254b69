"""
At most so many at once: who comes when it is full is told so, and may come again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from twisted.logger import Logger

from nova_tx.errors import TooManyRequests

_log = Logger()


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
