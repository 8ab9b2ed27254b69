"""The real database engine, run inline, for tests: on SQLite in memory, or on a server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import Connection, create_mock_engine, delete, text
from twisted.internet.task import Clock

from nova_tx.db.engine import Database
from nova_tx.db.schema import metadata
from nova_tx.flags import SqlFlags

#: Names the database that L{tested_database} empties and gives out.
VARIABLE = "NOVA_TX_TEST_SQL"


def memory_database() -> Database:
    """A new, empty database with every table; its calls have fired when they return."""
    database = Database(SqlFlags(sql_connection="sqlite://"), Clock(), inline=True)
    with database.engine.begin() as txn:
        for statement in _tables():
            txn.exec_driver_sql(statement)
    return database


@cache
def _tables() -> tuple[str, ...]:
    """What makes every table: it takes longer to say than to do."""
    said: list[str] = []

    def say(statement: Any, *_: object, **__: object) -> None:
        said.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine("sqlite://", say)
    metadata.create_all(engine, checkfirst=False)
    return tuple(said)


@contextmanager
def tested_database() -> Iterator[Database]:
    """
    An empty database with every table, as L{memory_database}.

    It is the one that the environment's C{NOVA_TX_TEST_SQL} names, if it does:
    so the same tests run on every kind of database.  Whatever is in it is lost.
    """
    url = os.environ.get(VARIABLE)
    if not url:
        database = memory_database()
    else:
        database = Database(SqlFlags(sql_connection=url), Clock(), inline=True)
        with database.engine.begin() as txn:
            metadata.create_all(txn)
            _empty(txn)
    try:
        yield database
    finally:
        database.engine.dispose()


def _empty(txn: Connection) -> None:
    """Delete every row, and count ids from 1 again."""
    if txn.dialect.name == "postgresql":  # which looks a quarter of a million of rows up one by one
        names = ", ".join(table.name for table in metadata.sorted_tables)
        txn.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        return
    for table in reversed(metadata.sorted_tables):
        found = txn.execute(delete(table)).rowcount
        counted = "id" in table.c and table.c.id.autoincrement
        if counted and found and txn.dialect.name in ("mysql", "mariadb"):
            txn.execute(text(f"ALTER TABLE {table.name} AUTO_INCREMENT = 1"))
