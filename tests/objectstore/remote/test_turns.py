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


def test_given_on_at_once() -> None:
    """Those who wait and need no time end within the end of the first, and leave nothing."""
    turns = Turns()
    held: list[int] = []

    async def brief(number: int) -> None:
        async with turns.alone("a"):
            held.append(number)

    first = _Holder(turns.alone("a"))
    waiting = [Deferred.fromCoroutine(brief(number)) for number in range(3)]
    first.end()
    assert held == [0, 1, 2] and turns._there == {}
    assert all(each.called and each.result is None for each in (first.done, *waiting))


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
