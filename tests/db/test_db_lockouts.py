"""Failed authentications, counted."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from nova_tx.db import lockouts, projects, users
from nova_tx.db.engine import Database
from nova_tx.db.lockouts import Limits

NOW = datetime(2011, 2, 15, 7, 28, 32)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(3, 15 * MINUTE, 15 * MINUTE)


async def fail(database: Database, key: str = "joe", after: timedelta = timedelta()) -> int:
    """One more failure."""
    return await database.run(lockouts.failed, key, LIMITS, NOW + after)


async def test_counted_until_locked(database: Database) -> None:
    """The last failure that is allowed locks the key for its time; others' are not counted."""
    assert [await fail(database) for _ in range(3)] == [1, 2, 3]
    assert await fail(database, "eve") == 1
    assert await fail(database, after=15 * MINUTE - timedelta(seconds=1)) == 0
    assert await fail(database, after=15 * MINUTE) == 1


async def test_old_failures_do_not_count(database: Database) -> None:
    """The window begins with the first failure, not with each."""
    assert await fail(database) == 1
    assert await fail(database, after=14 * MINUTE) == 2
    assert await fail(database, after=15 * MINUTE) == 1


async def test_forgiven(database: Database) -> None:
    """A success takes failures and lock away."""
    for _ in range(3):
        await fail(database)
    assert await database.run(lockouts.forgive, "joe")
    assert not await database.run(lockouts.forgive, "joe")
    assert await fail(database) == 1


async def test_cleared(database: Database) -> None:
    """What counts no more is forgotten, and nothing else."""
    await fail(database, "old")
    await fail(database, "new", 10 * MINUTE)
    for _ in range(3):
        await fail(database, "locked", 5 * MINUTE)
    await database.run(lockouts.clear, LIMITS.window, NOW + 15 * MINUTE)
    left = [await database.run(lockouts.forgive, key) for key in ("old", "new", "locked")]
    assert left == [False, True, True]


async def test_a_lock_outlives_the_window(database: Database) -> None:
    """Clearing does not open a lock that is longer than the window."""
    long = LIMITS._replace(lock=60 * MINUTE)
    for _ in range(3):
        await database.run(lockouts.failed, "joe", long, NOW)
    await database.run(lockouts.clear, long.window, NOW + 59 * MINUTE)
    assert await database.run(lockouts.failed, "joe", long, NOW + 59 * MINUTE) == 0


async def test_strangers_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many keys are tried, few are written down; a user's always is."""
    monkeypatch.setattr(lockouts, "MOST_STRANGERS", 2)
    await database.run(users.create, "joe", "joe", "secret", False)
    for key in ("a", "b", "c"):
        await fail(database, key)
    assert await fail(database, "c") == 1
    assert await fail(database, "b") == 2
    assert [await fail(database, "joe") for _ in range(2)] == [1, 2]
    elsewhere = ("ann", LIMITS, NOW, True)
    assert [await database.run(lockouts.failed, *elsewhere) for _ in range(2)] == [1, 2]


async def test_comes_with_the_user(database: Database) -> None:
    """A look-up of the user says what is known of the key, without another transaction."""
    await database.run(users.create, "joe", "joe", "secret", False)
    await database.run(projects.create, "joe", "joe", None)
    assert (await database.read(users.find, "joe", None)).failures == 0
    for _ in range(3):
        await fail(database)
    found = await database.read(users.find, "joe", None)
    assert (found.failures, found.locked_until) == (3, NOW + 15 * MINUTE)
