"""Turns on instances."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from nova_tx.compute.turns import Turns


async def test_one_at_a_time() -> None:
    """The second piece of work on an instance begins when the first has ended."""
    turns, gate = Turns(), Deferred[None]()
    order = []

    async def work(name: str, wait: Deferred[None] | None) -> None:
        async with turns.of(1):
            order.append(f"{name} begins")
            if wait is not None:
                await wait
            order.append(f"{name} ends")

    first = Deferred.fromCoroutine(work("first", gate))
    second = Deferred.fromCoroutine(work("second", None))
    gate.callback(None)
    await first
    await second
    assert order == ["first begins", "first ends", "second begins", "second ends"]


async def test_others_do_not_wait() -> None:
    """Work on another instance does not wait, and a turn that has ended is forgotten."""
    turns = Turns()
    async with turns.of(1), turns.of(2):
        assert turns.taken(1) and turns.taken(2)
    assert not turns.taken(1) and not turns.taken(2)


async def test_looking() -> None:
    """Who looks round knows who had a turn before, during, and even briefly."""
    turns = Turns()
    async with turns.of(1):
        with turns.looking() as busy:
            async with turns.of(2):
                pass
            assert busy == {1, 2}
        async with turns.of(3):
            assert busy == {1, 2}


async def test_failure_gives_turn_back() -> None:
    """A turn ends with an error as well."""
    turns = Turns()
    try:
        async with turns.of(1):
            raise ValueError
    except ValueError:
        pass
    assert not turns.taken(1)
