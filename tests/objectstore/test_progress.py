"""How far a work is, and when that is written down."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from nova_tx.objectstore.progress import EVERY, Progress


async def test_now_and_then() -> None:
    """However often it is told, an entry is made every few seconds, and only of what is new."""
    written: list[int] = []
    clock = Clock()

    async def write(percent: int) -> None:
        written.append(percent)

    progress = Progress(write, clock)
    progress.begin()
    report = progress.stage(0, 50, 1000)
    for done in range(501):
        report(done)
    assert written == []
    clock.advance(EVERY)
    assert written == [25]
    clock.advance(EVERY)
    assert written == [25]
    progress.stage(50, 100, 0)(0)
    clock.advance(EVERY)
    progress.stage(50, 100, 10)(99)
    clock.advance(EVERY)
    assert written == [25, 50, 100]
    await progress.end()
    report(1)
    clock.advance(EVERY)
    assert written == [25, 50, 100]
    assert clock.getDelayedCalls() == []


async def test_end_waits() -> None:
    """The end of a work waits for the entry that is being made, lest that come after it."""
    clock = Clock()
    slow: Deferred[None] = Deferred()
    progress = Progress(lambda percent: slow, clock)
    progress.begin()
    progress.stage(0, 100, 2)(1)
    clock.advance(EVERY)
    ended = Deferred.fromCoroutine(progress.end())
    assert not ended.called
    slow.callback(None)
    await ended
