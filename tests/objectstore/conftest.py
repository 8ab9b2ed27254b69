"""What several tests of the objectstore ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted

from nova_tx.db.engine import Database
from nova_tx.testing.asking import Asker, asking


@pytest_twisted.async_yield_fixture
async def door(tmp_path: Path, database: Database) -> AsyncIterator[Asker]:
    """An objectstore on loopback, with joe's empty bucket C{bucket}."""
    from twisted.internet import reactor

    async with asking(tmp_path, database, reactor) as found:
        yield found
