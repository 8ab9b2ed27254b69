"""Who changes what, when: one after the other, or together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock, DeferredSemaphore

#: Who may have something together.
_TOGETHER = 128


class Turns:
    """Locks by name, which are there as long as somebody has them or waits for them."""

    def __init__(self) -> None:
        self._there: dict[Hashable, tuple[DeferredSemaphore, DeferredLock, list[int]]] = {}

    @asynccontextmanager
    async def _named(self, name: Hashable) -> AsyncIterator[tuple[DeferredSemaphore, DeferredLock]]:
        places, alone, users = self._there.setdefault(
            name, (DeferredSemaphore(_TOGETHER), DeferredLock(), [0])
        )
        users[0] += 1
        try:
            yield places, alone
        finally:
            users[0] -= 1
            if not users[0]:
                del self._there[name]

    @asynccontextmanager
    async def one(self, name: Hashable) -> AsyncIterator[None]:
        """Nobody else has it meanwhile, but by L{together}."""
        async with self._named(name) as (_, alone):
            await alone.acquire()
            try:
                yield
            finally:
                alone.release()

    @asynccontextmanager
    async def together(self, name: Hashable) -> AsyncIterator[None]:
        """Nobody has it by L{alone} meanwhile."""
        async with self._named(name) as (places, _):
            await places.acquire()
            try:
                yield
            finally:
                places.release()

    @asynccontextmanager
    async def alone(self, name: Hashable) -> AsyncIterator[None]:
        """Nobody else has it meanwhile."""
        async with self._named(name) as (places, alone):
            await alone.acquire()
            held = 0
            try:
                while held < _TOGETHER:
                    await places.acquire()
                    held += 1
                yield
            finally:
                for _ in range(held):
                    places.release()
                alone.release()
