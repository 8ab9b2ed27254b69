"""Quotas, on every kind of database."""

from __future__ import annotations

import pytest

from nova_tx.db import quotas
from nova_tx.db.engine import Database
from nova_tx.db.quotas import Limits
from nova_tx.errors import InvalidInput
from nova_tx.flags import QuotaFlags

DEFAULTS = QuotaFlags(quota_instances=10, quota_cores=20)


async def test_defaults(database: Database) -> None:
    """A project without quotas of its own has the flags'."""
    assert await database.read(quotas.limits, "physics", DEFAULTS) == Limits(10, 20)


async def test_own(database: Database) -> None:
    """A quota that was set counts, also 0; others stay the flags', and other projects' too."""
    await database.run(quotas.set, "physics", "instances", 0)
    assert await database.read(quotas.limits, "physics", DEFAULTS) == Limits(0, 20)
    await database.run(quotas.set, "physics", "cores", 3)
    assert await database.read(quotas.limits, "physics", DEFAULTS) == Limits(0, 3)
    assert await database.read(quotas.limits, "chemistry", DEFAULTS) == Limits(10, 20)


async def test_back(database: Database) -> None:
    """Setting None goes back to the flags'."""
    await database.run(quotas.set, "physics", "instances", 1)
    await database.run(quotas.set, "physics", "instances", None)
    assert await database.read(quotas.limits, "physics", DEFAULTS) == Limits(10, 20)


@pytest.mark.parametrize(("key", "value"), [("beer", 1), ("id", 1), ("cores", -1)])
async def test_nonsense(database: Database, key: str, value: int) -> None:
    """A quota that does not exist, or is negative, is refused."""
    with pytest.raises(InvalidInput):
        await database.run(quotas.set, "physics", key, value)
