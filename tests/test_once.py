"""Work shared by those who ask at the same time."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from nova_tx.once import Once


async def test_shared() -> None:
    """Two who ask at the same time get the result of one piece of work."""
    once: Once[int] = Once()
    gate: Deferred[int] = Deferred()
    begun = []

    async def work() -> int:
        begun.append(1)
        return await gate

    first = Deferred.fromCoroutine(once.do("x", work))
    second = Deferred.fromCoroutine(once.do("x", work))
    gate.callback(7)
    assert (await first, await second, len(begun)) == (7, 7, 1)


async def test_not_remembered() -> None:
    """Work that has ended is done again for who asks later."""
    once: Once[int] = Once()
    results = iter((1, 2))

    async def work() -> int:
        return next(results)

    assert [await once.do("x", work), await once.do("x", work)] == [1, 2]


async def test_names_apart() -> None:
    """Work of another name is other work."""
    once: Once[str] = Once()
    gate: Deferred[None] = Deferred()

    async def slow() -> str:
        await gate
        return "slow"

    async def quick() -> str:
        return "quick"

    waiting = Deferred.fromCoroutine(once.do("slow", slow))
    assert await once.do("quick", quick) == "quick"
    gate.callback(None)
    assert await waiting == "slow"


async def test_failure_shared() -> None:
    """All who asked get the failure, and the next one may try again."""
    once: Once[int] = Once()
    gate: Deferred[int] = Deferred()

    async def work() -> int:
        return await gate

    first = Deferred.fromCoroutine(once.do("x", work))
    second = Deferred.fromCoroutine(once.do("x", work))
    gate.errback(OSError("no"))
    for each in (first, second):
        with pytest.raises(OSError, match="no"):
            await each

    async def better() -> int:
        return 1

    assert await once.do("x", better) == 1


async def test_cancelled_share() -> None:
    """One who gives up does not take the work from the others."""
    once: Once[int] = Once()
    gate: Deferred[int] = Deferred()

    async def work() -> int:
        return await gate

    first = Deferred.fromCoroutine(once.do("x", work))
    second = Deferred.fromCoroutine(once.do("x", work))
    first.cancel()
    with pytest.raises(CancelledError):
        await first
    gate.callback(3)
    assert await second == 3
