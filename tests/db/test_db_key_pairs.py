"""Rows of key pairs."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Connection, select

from nova_tx.context import RequestContext
from nova_tx.db import key_pairs, users
from nova_tx.db.engine import Database
from nova_tx.db.schema import tags
from nova_tx.errors import DuplicateKeyPair, KeyPairNotFound
from nova_tx.model.access import KeyPair

NOW = datetime(2011, 2, 15, 7, 28, 32)


async def test_key_pairs(database: Database) -> None:
    """Names are per user, whatever they look like; a deleted name is free again."""
    pairs = [KeyPair("joe", name, "aa:bb", "ssh-rsa AAAA") for name in ("0123", "1e3")]
    theirs = KeyPair("eve", "0123", "cc", "ssh-rsa BBBB", key_type="ed25519")
    pairs = [await database.run(key_pairs.create, pair, NOW) for pair in pairs]
    their = await database.run(key_pairs.create, theirs, NOW)
    assert await database.read(key_pairs.listed, "eve") == (their,)
    assert (their.created_at, their.key_type) == (NOW, "ed25519")
    with pytest.raises(DuplicateKeyPair):
        await database.run(key_pairs.create, pairs[0], NOW)
    assert await database.read(key_pairs.listed, "joe") == tuple(pairs)
    assert await database.read(key_pairs.listed, "joe", ("1e3",)) == (pairs[1],)
    with pytest.raises(KeyPairNotFound, match="'none'"):
        await database.read(key_pairs.listed, "joe", ("1e3", "none"))
    for _ in range(2):
        await database.run(key_pairs.remove, "joe", "0123")
    with pytest.raises(KeyPairNotFound):
        await database.read(key_pairs.get, "joe", "0123")
    await database.run(key_pairs.create, pairs[0], NOW)


async def test_by_id(database: Database) -> None:
    """A key pair is found and forgotten by its id, too; by its owner only."""
    pairs = [
        await database.run(key_pairs.create, KeyPair("joe", name, "aa", "ssh-rsa AAAA"), NOW)
        for name in "abc"
    ]
    ids = [pair.id for pair in pairs]
    assert len(set(ids)) == 3
    assert await database.read(key_pairs.listed, "joe", ("a",), ids[1:2]) == tuple(pairs[:2])
    with pytest.raises(KeyPairNotFound, match="key-0000"):
        await database.read(key_pairs.listed, "eve", (), ids[:1])
    assert await database.run(key_pairs.remove, "eve", None, ids[0]) is None
    assert await database.run(key_pairs.remove, "joe", None, ids[0]) == ids[0]
    assert await database.run(key_pairs.remove, "joe", "b") == ids[1]
    assert await database.run(key_pairs.remove, "joe", "b") is None
    assert await database.read(key_pairs.listed, "joe") == (pairs[2],)


async def test_all_of_a_user(database: Database) -> None:
    """A user's key pairs go with the user, all of them and with their tags; others' stay."""
    await database.run(users.create, "joe", "access", "secret", False)
    context = RequestContext(user="joe", project="shop")
    for name in "ab":
        pair = KeyPair("joe", name, "aa", "ssh-rsa AAAA")
        await database.run(key_pairs.create, pair, NOW, context, {"for": name})
    their = await database.run(key_pairs.create, KeyPair("eve", "a", "aa", "ssh-rsa BBBB"), NOW)
    assert len(await database.read(_tags)) == 2
    await database.run(users.remove, "joe")
    assert await database.read(key_pairs.listed, "joe") == ()
    assert await database.read(key_pairs.listed, "eve") == (their,)
    assert await database.read(_tags) == []


def _tags(txn: Connection) -> list[str]:
    return list(txn.scalars(select(tags.c.value).where(tags.c.deleted.is_(False))))
