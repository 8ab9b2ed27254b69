"""
The version of the tables: which one a database has, and how it gets the newest.

A version is a number, that of the last migration: C{migrations/versions/v<number>_*.py}.
Alembic, which runs them, takes half a second to import, so only L{sync} does.
"""

from __future__ import annotations

import os
import re
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from nova_tx.db.dialects import absent
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError

_MIGRATIONS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migrations")
_FILE = re.compile(r"v(\d+)_\w+\.py\Z")
#: Alembic's own table: one row, one column.
TABLE, COLUMN = "alembic_version", "version_num"


def head() -> int:
    """The version that this program needs."""
    names = os.listdir(os.path.join(_MIGRATIONS, "versions"))
    return max(int(found[1]) for found in map(_FILE.match, names) if found)


def stored(txn: Connection) -> int:
    """The version that the database is at; 0 if it has no tables of ours."""
    if not inspect(txn).has_table(TABLE):
        return 0
    return int(txn.execute(text(f"SELECT {COLUMN} FROM {TABLE}")).scalar() or 0)


def current(engine: Engine) -> int:
    """L{stored}, for who has no transaction; 0 if there is no database yet."""
    if absent(engine.url):
        return 0
    with engine.connect() as connection:
        return stored(connection)


async def check(database: Database) -> None:
    """
    Refuse to work on tables of another version; daemons do this at their start.

    @raise StartupError: run C{nova-manage db sync}, or a newer program.
    """
    version, needed = await database.read(stored), head()
    if version < needed:
        raise StartupError(
            f"the database is at version {version}, this program needs {needed}:"
            " run nova-manage db sync"
        )
    if version > needed:
        raise StartupError(
            f"the database is at version {version}, this program is older: it needs {needed}"
        )


def sync(engine: Engine, version: int | None = None) -> None:
    """
    Bring the tables to a version, by default the newest; nothing happens if they are there.

    @raise StartupError: there is no such version, or the database is past it.
    """
    wanted = head() if version is None else version
    if not 0 < wanted <= head():
        raise StartupError(f"there is no version {wanted}; the newest is {head()}")
    with engine.begin() as connection:
        at = stored(connection)
        if at > wanted:
            raise StartupError(
                f"the database is at version {at};"
                f" there is no way back to {wanted} but a backup of it"
            )
        if at < wanted:
            from alembic import command

            command.upgrade(_config(connection), str(wanted))


def _config(connection: Connection) -> Any:
    """Alembic's configuration, without a file."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
