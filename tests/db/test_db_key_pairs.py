"""Rows of key pairs."""

from __future__ import annotations

from datetime import datetime

import pytest

from nova_tx.db import key_pairs
from nova_tx.db.engine import Database
from nova_tx.errors import DuplicateKeyPair, KeyPairNotFound
from nova_tx.model import KeyPair

NOW = datetime(2011, 2, 15, 7, 28, 32)


async def test_key_pairs(database: Database) -> None:
    """Names are per user, whatever they look like; a deleted name is free again."""
    pairs = [KeyPair("joe", name, "aa:bb", "ssh-rsa AAAA") for name in ("0123", "1e3")]
    for pair in (*pairs, KeyPair("eve", "0123", "cc", "ssh-rsa BBBB")):
        await database.run(key_pairs.create, pair, NOW)
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
