"""Key pairs: public keys of users, whatever the project.          [spec/09 section 8]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime

from sqlalchemy import Connection, delete, insert, or_, select
from sqlalchemy.exc import IntegrityError

from nova_tx.context import RequestContext
from nova_tx.db import replays, tags
from nova_tx.db.schema import key_pairs
from nova_tx.errors import DuplicateKeyPair, KeyPairNotFound
from nova_tx.ids import key_pair_ec2_id
from nova_tx.model.access import KeyPair

_COLUMNS = tuple(key_pairs.c[field.name] for field in fields(KeyPair))


def create(
    txn: Connection,
    pair: KeyPair,
    now: datetime,
    context: RequestContext | None = None,
    tagged: Mapping[str, str] | None = None,
) -> KeyPair:
    """
    Keep the public half of a key pair; returns it as it is kept.

    @param context: who asks, whose signature is used up.
    @param tagged: what the project of who asks notes on it.
    @raise DuplicateKeyPair: the user has one of that name.
    @raise TooSoon, Replayed: as L{replays.claim}.
    """
    made = replace(pair, created_at=now)
    values = {column.name: getattr(made, column.name) for column in _COLUMNS}
    del values["id"]
    try:
        with txn.begin_nested():
            key = txn.execute(insert(key_pairs).values(deleted=False, **values))
    except IntegrityError:
        raise DuplicateKeyPair(f"The keypair '{pair.name}' already exists.") from None
    assert key.inserted_primary_key is not None
    made = replace(made, id=key.inserted_primary_key[0])
    if context is not None:
        replays.claim(txn, context, now)
        ec2_id = key_pair_ec2_id(made.id or 0)
        tags.attach(txn, context.project, {ec2_id: None}, tagged or {}, now)
    return made


def get(txn: Connection, user_id: str, name: str) -> KeyPair:
    """
    One key pair.

    @raise KeyPairNotFound: the user has none of that name.
    """
    return listed(txn, user_id, (name,))[0]


def listed(
    txn: Connection, user_id: str, names: Sequence[str] = (), ids: Sequence[int] = ()
) -> tuple[KeyPair, ...]:
    """
    The key pairs of a user by name; of these names and ids only, if any are given.

    @raise KeyPairNotFound: the user has none of one of the names or ids.
    """
    query = select(*_COLUMNS).where(key_pairs.c.user_id == user_id).order_by(key_pairs.c.name)
    if names or ids:
        query = query.where(or_(key_pairs.c.name.in_(names), key_pairs.c.id.in_(ids)))
    found = tuple(KeyPair(**row) for row in txn.execute(query).mappings())
    missing = set(names) - {pair.name for pair in found}
    if missing:
        raise KeyPairNotFound(f"The key pair '{min(missing)}' does not exist")
    unknown = set(ids) - {pair.id for pair in found}
    if unknown:
        raise KeyPairNotFound(f"The key pair ID '{key_pair_ec2_id(min(unknown))}' does not exist")
    return found


def remove(
    txn: Connection, user_id: str, name: str | None = None, key_pair_id: int | None = None
) -> int | None:
    """
    Forget the key pair of that name or id; returns the id it had, None if there was none.

    One that is gone already is nothing.
    """
    wanted = key_pairs.c.name == name if name is not None else key_pairs.c.id == key_pair_id
    found: int | None = txn.scalar(
        select(key_pairs.c.id).where(key_pairs.c.user_id == user_id, wanted)
    )
    txn.execute(delete(key_pairs).where(key_pairs.c.id == found))
    if found is not None:  # SQLite may give its id to the next
        tags.drop(txn, key_pair_ec2_id(found))
    return found


def remove_all(txn: Connection, user_id: str) -> None:
    """Forget every key pair of a user."""
    for pair in listed(txn, user_id):
        remove(txn, user_id, pair.name)
