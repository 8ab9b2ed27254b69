"""Work in threads: it belongs to the request on whose behalf it is done, and is counted."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from nova_tx import metrics

P = ParamSpec("P")
T = TypeVar("T")


def in_pool(
    reactor: Any, pool: ThreadPool, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> Deferred[T]:
    """The result of a function that a thread of a pool runs; its lines are the request's of now."""
    name = str(pool.name)
    run = copy_context().run
    asked = perf_counter()

    def work() -> T:
        begun = perf_counter()
        metrics.THREADS_WAIT.observe(begun - asked, name)
        metrics.THREADS_BUSY.add(1, name)
        try:
            return run(fn, *args, **kwargs)
        finally:
            metrics.THREADS_BUSY.add(-1, name)
            metrics.THREADS_RUN.observe(perf_counter() - begun, name)

    return deferToThreadPool(reactor, pool, work)
