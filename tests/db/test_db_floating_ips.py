"""Rows of floating addresses: deleted unless somebody has one, however lately."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from nova_tx.db import floating_ips as rows
from nova_tx.db.engine import Database
from nova_tx.db.schema import floating_ips
from nova_tx.errors import InUse


@pytest.fixture
def given_away(database: Database) -> Iterator[None]:
    """An address is a project's in the moment in which it is to be deleted."""

    def give(connection: Connection, _: Any, statement: str, *more: object) -> None:
        if statement.startswith("DELETE"):
            its = floating_ips.c.address == "10.5.0.1"
            connection.execute(update(floating_ips).where(its).values(project_id="physics"))

    event.listen(database.engine, "before_cursor_execute", give)
    yield
    event.remove(database.engine, "before_cursor_execute", give)


async def test_given_away_meanwhile(database: Database, given_away: None) -> None:
    """An address that a project is given after the look is not deleted, nor are the others."""
    await database.run(rows.create, "HostA", "10.5.0.0/30")
    with pytest.raises(InUse, match="none was deleted"):
        await database.run(rows.remove, "10.5.0.0/30")
    assert len(await database.read(rows.listed)) == 4
