"""Migrations: an empty database becomes exactly the schema, and daemons refuse any other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, text

from nova_tx.db import upgrade
from nova_tx.db.engine import Database
from nova_tx.db.schema import metadata
from nova_tx.errors import StartupError


@pytest.fixture
def bare(database: Database) -> Iterator[Database]:
    """The database without any table."""

    def drop() -> None:
        found = MetaData()
        found.reflect(database.engine)
        found.drop_all(database.engine)

    drop()
    yield database
    drop()


def test_exact(bare: Database) -> None:
    """Migrating an empty database gives the tables of the schema, no less and no more."""
    upgrade.sync(bare.engine)
    with bare.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_versions(bare: Database) -> None:
    """A database without tables is at version 0, a migrated one at the newest."""
    assert upgrade.current(bare.engine) == 0
    upgrade.sync(bare.engine)
    assert upgrade.current(bare.engine) == upgrade.head() >= 1


def test_twice(bare: Database) -> None:
    """Migrating what is at the newest version changes nothing."""
    upgrade.sync(bare.engine)
    with bare.engine.begin() as txn:
        txn.execute(
            text(
                "INSERT INTO quotas (project_id, created_at, deleted) VALUES"
                " ('p', '2011-01-01 00:00:00', '0')"
            )
        )
    upgrade.sync(bare.engine)
    with bare.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM quotas")).scalar() == 1


def test_head() -> None:
    """The version read from the files' names is the one Alembic finds, and they ascend."""
    script = ScriptDirectory(upgrade._MIGRATIONS)
    assert script.get_heads() == [str(upgrade.head())]
    numbers = [int(each.revision) for each in script.walk_revisions()]
    assert numbers == sorted(numbers, reverse=True) and numbers[-1] == 1


@pytest.mark.parametrize("version", [0, -1, 10_000])
def test_no_such_version(bare: Database, version: int) -> None:
    """A version that no migration leads to is refused."""
    with pytest.raises(StartupError, match="no version"):
        upgrade.sync(bare.engine, version)


def test_no_way_back(bare: Database) -> None:
    """A database that a newer program migrated is left alone."""
    upgrade.sync(bare.engine)
    with bare.engine.begin() as txn:
        txn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="no way back"):
        upgrade.sync(bare.engine)


async def test_check(bare: Database) -> None:
    """A daemon starts on the version it needs, and on no other."""
    with pytest.raises(StartupError, match=r"at version 0, .* needs \d+: run nova-manage db sync"):
        await upgrade.check(bare)
    upgrade.sync(bare.engine)
    await upgrade.check(bare)
    with bare.engine.begin() as txn:
        txn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartupError, match="older"):
        await upgrade.check(bare)


def test_light() -> None:
    """A daemon that asks for the version does not import Alembic."""
    code = "import sys, nova_tx.db.upgrade as u; u.head(); sys.exit('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
