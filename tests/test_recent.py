"""What is not looked up again for a moment."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.recent import SECONDS, Recent


class _Shelf:
    """Answers that wait until they are let go; C{now} is what is true when they are."""

    def __init__(self) -> None:
        self.now = "old"
        self.asked: list[Deferred[None]] = []

    async def look(self) -> str:
        found = self.now
        waiting: Deferred[None] = Deferred()
        self.asked.append(waiting)
        await waiting
        return found


def begin(recent: Recent[str, str], shelf: _Shelf, key: str = "key") -> Deferred[str]:
    """Start to find what is under a key."""
    return Deferred.fromCoroutine(recent.find(key, shelf.look))


async def test_forgotten_while_it_is_looked_up() -> None:
    """What was being looked up when it changed is not remembered, nor given to who asks then."""
    clock, shelf = Clock(), _Shelf()
    clock.advance(1e9)
    recent: Recent[str, str] = Recent(clock)
    before = begin(recent, shelf)
    shelf.now = "new"
    recent.forget(lambda key: key == "key")
    after = begin(recent, shelf)
    for each in shelf.asked:
        each.callback(None)
    assert (await before, await after) == ("old", "new")
    assert await begin(recent, shelf) == "new"
    assert len(shelf.asked) == 2


async def test_forgets_what_is_meant() -> None:
    """Others than those that are to be forgotten are remembered on."""
    clock, shelf = Clock(), _Shelf()
    clock.advance(1e9)
    recent: Recent[str, str] = Recent(clock)
    for key in ("one", "other"):
        found = begin(recent, shelf, key)
        shelf.asked[-1].callback(None)
        await found
    recent.forget(lambda key: key == "one")
    assert await begin(recent, shelf, "other") == "old"
    assert len(shelf.asked) == 2
    assert not begin(recent, shelf, "one").called
    shelf.asked[-1].callback(None)


async def test_time_counts_from_the_question() -> None:
    """A look-up that takes the whole time is of no use to who asks after it."""
    clock, shelf = Clock(), _Shelf()
    clock.advance(1e9)
    recent: Recent[str, str] = Recent(clock)
    found = begin(recent, shelf)
    clock.advance(SECONDS)
    shelf.asked[0].callback(None)
    assert await found == "old"
    again = begin(recent, shelf)
    assert not again.called
    shelf.asked[1].callback(None)
    await again
