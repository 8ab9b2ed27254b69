"""
Where transactions run: named pools of threads, or the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from nova_tx.errors import Unavailable
from nova_tx.threads import in_pool

T = TypeVar("T")


class IThreads(Protocol):
    """Where transactions run."""

    def start(self) -> None:
        """Let transactions run."""

    def stop(self, last: Callable[[], object]) -> Deferred[None]:
        """Wait for what is running, call C{last} when nothing runs any more."""

    def defer(self, fn: Callable[[], T], write: bool) -> Deferred[T]:
        """Run C{fn}; fails with L{Unavailable} unless started, or if too many wait."""


class Threads:
    """One pool of threads called C{PoolThread-<what>-<n>}, or two: writers and readers."""

    def __init__(
        self, reactor: Any, most: int, writers: int, readers: int = 0, what: str = "database"
    ) -> None:
        """
        @param most: how many functions may run and wait.
        @param readers: threads that only read; without them, those that write do both.
        @param what: what they wait for.
        """
        self._most = max(1, most)
        self._taken = 0
        self._reactor = reactor
        self._what = what
        self._writers = self._readers = ThreadPool(0, writers, what)
        if readers:
            self._readers = ThreadPool(0, readers, f"{what}-read")
        self._started = False

    def start(self) -> None:
        self._writers.start()
        if self._readers is not self._writers:
            self._readers.start()
        self._started = True

    def stop(self, last: Callable[[], object]) -> Deferred[None]:
        started, self._started = self._started, False

        def join() -> None:
            if started:
                self._writers.stop()
                if self._readers is not self._writers:
                    self._readers.stop()
            last()

        # in another thread, since the reactor must take in the last results meanwhile
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), join)

    def defer(self, fn: Callable[[], T], write: bool) -> Deferred[T]:
        if not self._started:
            return fail(Unavailable(f"the {self._what} is not open"))
        if self._taken >= self._most:
            return fail(Unavailable(f"too many transactions wait for the {self._what}"))
        self._taken += 1
        pool = self._writers if write else self._readers
        return in_pool(self._reactor, pool, fn).addBoth(self._ended)

    def _ended(self, result: T) -> T:
        self._taken -= 1
        return result


class Inline:
    """No threads: for tests, and for commands that have nothing else to do."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self, last: Callable[[], object]) -> Deferred[None]:
        last()
        return succeed(None)

    def defer(self, fn: Callable[[], T], write: bool) -> Deferred[T]:
        return execute(fn)
