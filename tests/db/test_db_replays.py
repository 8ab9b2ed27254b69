"""Signatures that are good for once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select

from nova_tx.context import RequestContext, Seal
from nova_tx.db import replays
from nova_tx.db.engine import Database
from nova_tx.db.schema import used_signatures
from nova_tx.errors import Replayed, TooSoon

NOW = datetime(2011, 2, 15, 7, 28, 32)
SECOND = timedelta(seconds=1)


def context(digest: str, life: timedelta = 900 * SECOND) -> RequestContext:
    """A request with that signature."""
    return RequestContext("joe", "joe", seal=Seal(digest, NOW + life))


async def test_good_for_once(database: Database) -> None:
    """Again is refused: at once so that a client signs anew, later as what it is."""
    await database.run(replays.claim, context("a"), NOW)
    await database.run(replays.claim, context("b"), NOW)
    for after in (0, 1):
        with pytest.raises(TooSoon):
            await database.run(replays.claim, context("a"), NOW + after * SECOND)
    for after in (2, 800):
        with pytest.raises(Replayed):
            await database.run(replays.claim, context("a"), NOW + after * SECOND)


async def test_a_failure_uses_nothing_up(database: Database) -> None:
    """A request whose transaction failed can be sent again as it is."""

    def fails(txn: Connection) -> None:
        replays.claim(txn, context("a"), NOW)
        raise KeyError

    with pytest.raises(KeyError):
        await database.run(fails)
    await database.run(replays.claim, context("a"), NOW)


async def test_nobody_signed(database: Database) -> None:
    """The cloud itself asks without a signature, as often as it likes."""
    for _ in range(2):
        await database.run(replays.claim, RequestContext(None, None), NOW)


async def test_cleared(database: Database) -> None:
    """Signatures are forgotten when no host takes their request any more, not before."""
    await database.run(replays.claim, context("a", 10 * SECOND), NOW)
    await database.run(replays.claim, context("b", 100 * SECOND), NOW)
    for after, left in ((11, 2), (71, 1), (161, 0)):
        await database.run(replays.clear, NOW + after * SECOND)
        count = select(func.count()).select_from(used_signatures)
        assert await database.read(lambda txn, count=count: txn.scalar(count)) == left
