"""Who changes what, when."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from twisted.internet.defer import Deferred

from nova_tx.objectstore.remote.turns import Turns


class _Holder:
    def __init__(self, turn: AbstractAsyncContextManager[None]) -> None:
        self.has = False
        self._end: Deferred[None] = Deferred()
        self.done: Any = Deferred.fromCoroutine(self._hold(turn))

    async def _hold(self, turn: AbstractAsyncContextManager[None]) -> None:
        async with turn:
            self.has = True
            await self._end

    def end(self) -> None:
        self._end.callback(None)


def test_one() -> None:
    """One has a name at a time, in order, and names know nothing of each other."""
    turns = Turns()
    first, second, other = (_Holder(turns.alone(name)) for name in ("a", "a", "b"))
    assert (first.has, second.has, other.has) == (True, False, True)
    first.end()
    assert second.has
    for each in (second, other):
        each.end()
    assert turns._there == {}


def test_alone() -> None:
    """Who is alone waits for all, and those who come later wait for that."""
    turns = Turns()
    before = [_Holder(turns.together("a")) for _ in range(3)]
    alone, again, after = (
        _Holder(turns.alone("a")),
        _Holder(turns.alone("a")),
        _Holder(turns.together("a")),
    )
    assert all(each.has for each in before)
    for each in before:
        assert not alone.has
        each.end()
    assert alone.has and not again.has and not after.has
    alone.end()
    assert again.has and not after.has
    again.end()
    assert after.has
    after.end()
    assert turns._there == {}
