"""
Whose turn it is: at most one piece of work on an instance at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from twisted.internet.defer import DeferredLock


class Turns:
    """A lock per instance, and a memory of who had one while somebody looked round."""

    def __init__(self) -> None:
        self._locks: dict[int, DeferredLock] = {}
        self._looks: list[set[int]] = []

    @asynccontextmanager
    async def of(self, instance_id: int) -> AsyncIterator[None]:
        """Wait for the turn to work on an instance, and hold it."""
        lock = self._locks.setdefault(instance_id, DeferredLock())
        for look in self._looks:
            look.add(instance_id)
        try:
            async with lock:
                yield
        finally:
            if not lock.locked and not lock.waiting:
                self._locks.pop(instance_id, None)

    def taken(self, instance_id: int) -> bool:
        """Whether somebody works on an instance now."""
        return instance_id in self._locks

    @contextmanager
    def looking(self) -> Iterator[set[int]]:
        """
        The instances that anybody works on at any time inside, as it grows.

        What was read of them meanwhile says nothing.
        """
        look = set(self._locks)
        self._looks.append(look)
        try:
            yield look
        finally:
            self._looks.remove(look)
