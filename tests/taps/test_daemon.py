"""A daemon opens its parts in order, closes them in reverse, and ends when one can't be opened."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

from nova_tx.errors import StartupError, Unavailable
from nova_tx.taps.daemon import Daemon


class Recorded:
    """A part that writes down what happens to it."""

    def __init__(self, name: str, seen: list[str], opening: Deferred[None] | None = None) -> None:
        self._name = name
        self._seen = seen
        self._opening = opening

    async def open(self) -> None:
        self._seen.append(f"open {self._name}")
        if self._opening is not None:
            await self._opening

    async def close(self) -> None:
        self._seen.append(f"close {self._name}")


class Broken(Recorded):
    """A part that can't be opened."""

    async def open(self) -> None:
        raise StartupError("the database is at home")


class Reloaded(Recorded):
    """A part that can be reloaded."""

    async def reload(self) -> None:
        self._seen.append(f"reload {self._name}")


async def test_reloaded_are_those_that_can(logged_errors: Any) -> None:
    """Parts that can be reloaded are, in order, also after one that fails; once they are opened."""
    seen: list[str] = []

    class Failing(Reloaded):
        async def reload(self) -> None:
            raise ValueError

    parts = [Recorded("a", seen), Failing("b", seen), Reloaded("c", seen)]
    daemon = Daemon(None, parts)
    daemon.reload()
    assert seen == []
    daemon.startService()
    daemon.reload()
    await daemon.stopService()
    assert seen == ["open a", "open b", "open c", "reload c", "close c", "close b", "close a"]
    [_] = logged_errors.flush(ValueError)


async def test_parts_open_in_order_and_close_in_reverse() -> None:
    """A later part can rely on an earlier one, from its opening to its end."""
    seen: list[str] = []
    daemon = Daemon(None, [Recorded("a", seen), Recorded("b", seen)])
    daemon.startService()
    await daemon.stopService()
    assert seen == ["open a", "open b", "close b", "close a"]


async def test_a_part_that_cannot_open_ends_the_daemon_with_its_sentence() -> None:
    """The sentence of a StartupError is what the operator gets; later parts are not opened."""
    seen: list[str] = []
    ends: list[str] = []

    def fail(reactor: Any, sentence: str) -> None:
        ends.append(sentence)

    parts = [Recorded("a", seen), Broken("b", seen), Recorded("c", seen)]
    daemon = Daemon(None, parts, fail=fail)
    daemon.startService()
    assert ends == ["the database is at home"]
    await daemon.stopService()
    assert seen == ["open a", "close b", "close a"]


async def test_a_daemon_can_be_stopped_while_it_starts() -> None:
    """SIGTERM during the wait for a broker ends the wait."""
    seen: list[str] = []
    cancelled: list[object] = []
    waiting: Deferred[None] = Deferred(cancelled.append)
    daemon = Daemon(None, [Recorded("slow", seen, waiting), Recorded("next", seen)])
    daemon.startService()
    await daemon.stopService()
    assert cancelled == [waiting]
    assert seen == ["open slow", "close slow"]


@pytest.mark.parametrize("given_up", [Unavailable, StartupError])
async def test_who_gives_up_to_stop_has_not_failed(
    given_up: type[Exception], logged_errors: Any
) -> None:
    """A part that waits, and is told that time is up, leaves no failure and no sentence."""
    seen: list[str] = []
    ends: list[str] = []
    waiting: Deferred[None] = Deferred()

    def fail(reactor: Any, sentence: str) -> None:
        ends.append(sentence)

    def stopping() -> None:
        waiting.errback(given_up("time is up"))

    daemon = Daemon(None, [Recorded("a", seen, waiting)], stopping=stopping, fail=fail)
    daemon.startService()
    await daemon.stopService()
    assert (seen, ends) == (["open a", "close a"], [])
    assert logged_errors.flush() == []
