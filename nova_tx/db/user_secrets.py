"""Users' secrets as the database has them: sealed, unless they are older than that.  [spec/09]"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, Engine, func, select, update

from nova_tx.db.schema import users

#: What a user's secret is kept as; rows from before version 4 have it in C{secret_key}.
STORED: ColumnElement[str] = func.coalesce(users.c.secret, users.c.secret_key)


def columns(stored: str) -> dict[str, str]:
    """The values of a row for a secret."""
    return {"secret": stored, "secret_key": ""}


def any_of_before(txn: Connection) -> bool:
    """Whether a secret is as it was written before version 4."""
    query = select(users.c.id).where(users.c.secret.is_(None)).limit(1)
    return txn.scalar(query) is not None


def any_one(txn: Connection) -> str | None:
    """A secret that was written as they are now; None if there is none."""
    found: str | None = txn.scalar(
        select(users.c.secret).where(users.c.secret.is_not(None)).limit(1)
    )
    return found


def rewrite(txn: Connection, change: Callable[[str, str], str]) -> int:
    """
    Have C{change(user_id, stored)} in the place of each secret; returns how many differ.

    Nobody else changes one meanwhile.
    """
    count = 0
    for user_id, stored in txn.execute(select(users.c.id, STORED).with_for_update()).all():
        changed = change(user_id, stored)
        if changed != stored:
            count += 1
            txn.execute(update(users).where(users.c.id == user_id).values(**columns(changed)))
    return count


def wipe(engine: Engine) -> None:
    """Leave nothing in SQLite's file of what was overwritten; servers have ways of their own."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.cursor().execute(statement)
    finally:
        connection.close()
