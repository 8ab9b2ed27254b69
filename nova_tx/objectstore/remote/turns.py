"""Who changes what, when: one after the other, or together."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred


class _Turn:
    """One name's: who has it, and who waits for it in which order."""

    def __init__(self) -> None:
        self._holders = 0
        self._alone = False
        self._waiting: deque[tuple[bool, Deferred[None]]] = deque()

    @property
    def unused(self) -> bool:
        return not (self._holders or self._waiting)

    async def take(self, alone: bool) -> None:
        mine: Deferred[None] = Deferred()
        self._waiting.append((alone, mine))
        self._go_on()
        await mine

    def give_back(self) -> None:
        self._holders -= 1
        self._alone = False
        self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._alone:
            alone, waiting = self._waiting[0]
            if alone and self._holders:
                return
            self._waiting.popleft()
            self._holders += 1
            self._alone = alone
            waiting.callback(None)


class Turns:
    """Locks by name, which are there as long as somebody has them or waits for them."""

    def __init__(self) -> None:
        self._there: dict[Hashable, _Turn] = {}

    @asynccontextmanager
    async def alone(self, name: Hashable) -> AsyncIterator[None]:
        """Nobody else has it meanwhile; those who come later wait."""
        async with self._taken(name, True):
            yield

    @asynccontextmanager
    async def together(self, name: Hashable) -> AsyncIterator[None]:
        """Nobody has it alone meanwhile."""
        async with self._taken(name, False):
            yield

    @asynccontextmanager
    async def _taken(self, name: Hashable, alone: bool) -> AsyncIterator[None]:
        turn = self._there.setdefault(name, _Turn())
        await turn.take(alone)
        try:
            yield
        finally:
            turn.give_back()
            # who waited may have had it, given it back, and been followed by others meanwhile
            if turn.unused and self._there.get(name) is turn:
                del self._there[name]
