"""
Work beside one's own, for a thread that has some to give away: a digest is computed by another
core while the bytes are written.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Semaphore

#: Pieces of work that are done aside at once, in the whole process: more would only wait for each
#: other where there are as many bodies as cores.
_MOST = 1

_free = Semaphore(_MOST)
_threads = ThreadPoolExecutor(_MOST, "aside")


class Aside:
    """One piece of work at a time, of one who gives it away; done at once if nobody is free."""

    def __init__(self) -> None:
        self._given: Future[None] | None = None

    def do(self, work: Callable[[], None]) -> None:
        """Have something done, after what was given before; it ends before the next C{do} does."""
        self.join()
        if _free.acquire(blocking=False):
            self._given = _threads.submit(_free_after, work)
        else:
            work()

    def join(self) -> None:
        """Wait for what was given; raise what it raised."""
        given, self._given = self._given, None
        if given is not None:
            given.result()


def _free_after(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        _free.release()
