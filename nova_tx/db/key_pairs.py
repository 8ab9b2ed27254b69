"""Key pairs: public keys of users, whatever the project.          [spec/09 section 8]"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nova_tx.db.schema import key_pairs
from nova_tx.errors import DuplicateKeyPair, KeyPairNotFound
from nova_tx.model import KeyPair

_COLUMNS = (
    key_pairs.c.user_id,
    key_pairs.c.name,
    key_pairs.c.fingerprint,
    key_pairs.c.public_key,
)


def create(txn: Connection, pair: KeyPair, now: datetime) -> None:
    """
    Keep the public half of a key pair.

    @raise DuplicateKeyPair: the user has one of that name.
    """
    values = {column.name: getattr(pair, column.name) for column in _COLUMNS}
    try:
        with txn.begin_nested():
            txn.execute(insert(key_pairs).values(created_at=now, deleted=False, **values))
    except IntegrityError:
        raise DuplicateKeyPair(f"The keypair '{pair.name}' already exists.") from None


def get(txn: Connection, user_id: str, name: str) -> KeyPair:
    """
    One key pair.

    @raise KeyPairNotFound: the user has none of that name.
    """
    return listed(txn, user_id, (name,))[0]


def listed(txn: Connection, user_id: str, names: tuple[str, ...] = ()) -> tuple[KeyPair, ...]:
    """
    The key pairs of a user by name; of these names only, if any are given.

    @raise KeyPairNotFound: the user has none of one of the names.
    """
    query = select(*_COLUMNS).where(key_pairs.c.user_id == user_id).order_by(key_pairs.c.name)
    if names:
        query = query.where(key_pairs.c.name.in_(names))
    found = tuple(KeyPair(**row) for row in txn.execute(query).mappings())
    missing = set(names) - {pair.name for pair in found}
    if missing:
        raise KeyPairNotFound(f"The key pair '{min(missing)}' does not exist")
    return found


def remove(txn: Connection, user_id: str, name: str) -> None:
    """Forget a key pair; none is nothing."""
    txn.execute(delete(key_pairs).where(key_pairs.c.user_id == user_id, key_pairs.c.name == name))
