"""Where what blocks is run: a named pool of threads, or (in tests) the calling one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, execute
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool

from nova_tx.threads import in_pool

P = ParamSpec("P")
T = TypeVar("T")


class IPool(Protocol):
    """Runs functions that block."""

    def start(self) -> None:
        """Let functions run."""

    async def stop(self) -> None:
        """Wait for those that run."""

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """The result of a function, when it has ended."""
        ...


class Pool:
    """Threads C{PoolThread-<name>-<n>}."""

    def __init__(self, reactor: Any, name: str, count: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, count, name)
        self._started = False

    def start(self) -> None:
        self._started = True
        self._pool.start()

    async def stop(self) -> None:
        if self._started:
            self._started = False
            # in another thread: the reactor must take in the last results meanwhile
            await deferToThread(self._pool.stop)

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return in_pool(self._reactor, self._pool, fn, *args, **kwargs)


class InlinePool:
    """No threads: for tests."""

    def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to wait for."""

    def run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return execute(fn, *args, **kwargs)
