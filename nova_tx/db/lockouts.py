"""
Access keys that were used wrongly: how often of late, and until when they open nothing.
                                                                        [spec/02 section 2; A5]
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db.schema import lockouts, users

#: Access keys of nobody that are counted at the same time; there is nothing to guess of more.
MOST_STRANGERS = 1000


class Limits(NamedTuple):
    """So many failures since the first in C{window} lock a key for the time of C{lock}."""

    attempts: int
    window: timedelta
    lock: timedelta


def failed(
    txn: Connection, access_key: str, limits: Limits, now: datetime, known: bool = False
) -> int:
    """
    Count one more failure; returns how many there are of late, 0 if the key was locked before.

    The last of C{limits.attempts} locks it.

    @param known: it is a user's, who may be kept elsewhere than in the tables.
    """
    found = _held(txn, access_key)
    if found is None:
        if not _note(txn, access_key, now, known):
            return 1
        found = _held(txn, access_key)
        assert found is not None
    failures, since, locked_until = found
    if locked_until is not None and now < locked_until:
        return 0
    if locked_until is not None or since <= now - limits.window:
        failures, since = 0, now  # that was another time
    failures += 1
    until = now + limits.lock if failures >= limits.attempts else None
    txn.execute(
        update(lockouts)
        .where(lockouts.c.access_key == access_key)
        .values(failures=failures, since=since, locked_until=until, updated_at=now)
    )
    return failures


def known(txn: Connection, access_key: str) -> tuple[int, datetime | None]:
    """How often a key was used wrongly of late, and until when it opens nothing."""
    query = select(lockouts.c.failures, lockouts.c.locked_until)
    row = txn.execute(query.where(lockouts.c.access_key == access_key)).first()
    return (0, None) if row is None else (row.failures, row.locked_until)


def _held(txn: Connection, access_key: str) -> tuple[int, datetime, datetime | None] | None:
    """What is known of a key; its row is locked."""
    row = txn.execute(
        select(lockouts.c.failures, lockouts.c.since, lockouts.c.locked_until)
        .where(lockouts.c.access_key == access_key)
        .with_for_update()
    ).first()
    return None if row is None else (row.failures, row.since, row.locked_until)


def _note(txn: Connection, access_key: str, now: datetime, known: bool) -> bool:
    """Begin to count a key, if it is a user's or not too many others are counted."""
    users_keys = select(users.c.access_key)
    if not known and txn.scalar(users_keys.where(users.c.access_key == access_key)) is None:
        strangers = lockouts.c.access_key.not_in(users_keys)
        if (txn.scalar(select(func.count()).where(strangers)) or 0) >= MOST_STRANGERS:
            return False
    try:
        with txn.begin_nested():
            txn.execute(
                insert(lockouts).values(
                    access_key=access_key, failures=0, since=now, created_at=now, deleted=False
                )
            )
    except IntegrityError:
        pass  # another process was faster
    return True


def forgive(txn: Connection, access_key: str) -> bool:
    """Forget the failures and the lock of a key; returns whether there were any."""
    return bool(txn.execute(delete(lockouts).where(lockouts.c.access_key == access_key)).rowcount)


def clear(txn: Connection, window: timedelta, now: datetime) -> None:
    """Forget what counts no more."""
    unlocked = or_(lockouts.c.locked_until.is_(None), lockouts.c.locked_until <= now)
    txn.execute(delete(lockouts).where(and_(unlocked, lockouts.c.since <= now - window)))
