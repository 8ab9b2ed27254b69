"""
Work beside one's own, for a thread that has some to give away: a digest is computed by another
core while the bytes are written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore

#: Pieces of work that are given and not done, in the whole process: enough that the thread which
#: does them never waits for the next.
BEHIND = 3

_free = Semaphore(BEHIND)
# one: more would only wait for each other where there are as many bodies as cores
_threads = ThreadPoolExecutor(1, "aside")


class Aside:
    """The work that one gives away, in order; done at once if there is too much of others'."""

    def __init__(self) -> None:
        self._given: deque[Future[None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """
        Have something done, after what was given before.

        When this returns all is done but the last L{BEHIND} pieces at most.
        """
        while not _free.acquire(blocking=False):
            if not self._given:
                work()
                return
            self._given.popleft().result()
        self._given.append(_threads.submit(_free_after, work))

    def join(self) -> None:
        """Wait for what was given; raise what it raised."""
        while self._given:
            self._given.popleft().result()


def _free_after(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        _free.release()
