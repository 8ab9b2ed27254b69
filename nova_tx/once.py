"""
Work that several ask for at the same time is done once, for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Once(Generic[T]):
    """
    Shares work in progress by its name; nothing is remembered once it has ended.

    Who asks and is cancelled gives up its share only: the work goes on.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Deferred[T]]] = {}

    async def do(self, name: str, work: Callable[[], Coroutine[Deferred[Any], Any, T]]) -> T:
        """The result of the work of that name in progress, or else of C{work()}, begun now."""
        begun = name in self._waiting
        mine: Deferred[T] = Deferred(lambda d: self._waiting[name].remove(d))
        self._waiting.setdefault(name, []).append(mine)
        if not begun:
            _ = Deferred.fromCoroutine(work()).addBoth(self._ended, name)
        return await mine

    def _ended(self, result: T | Failure, name: str) -> None:
        for each in self._waiting.pop(name):
            if isinstance(result, Failure):
                each.errback(result)
            else:
                each.callback(result)
