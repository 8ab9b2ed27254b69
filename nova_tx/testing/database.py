"""The real database engine on an SQLite in memory, run inline: for tests."""

from __future__ import annotations

from twisted.internet.task import Clock

from nova_tx.db.engine import Database
from nova_tx.db.schema import metadata
from nova_tx.flags import Flags, SqlFlags


def memory_database() -> Database:
    """A new, empty database with every table; its calls have fired when they return."""
    flags = Flags.load(["--sql_connection=sqlite://"], [SqlFlags]).section(SqlFlags)
    database = Database(flags, Clock(), inline=True)
    metadata.create_all(database.engine)
    return database
