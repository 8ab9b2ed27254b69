"""Client tokens: a request that is sent twice is done once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from nova_tx.db.client_tokens import LIFE, claim, clear, find, keep
from nova_tx.db.engine import Database
from nova_tx.db.schema import client_tokens as table
from nova_tx.errors import QuotaExceeded, TokenMismatch
from nova_tx.model.instances import ClientToken

NOW = datetime(2011, 2, 15)
TOKEN = ClientToken("RunInstances", "t-1", "fingerprint")


def do(
    txn: Connection, token: ClientToken, result: str, now: datetime = NOW, project: str = "p"
) -> str:
    """What a request does: the result of the first one with its token."""
    earlier = claim(txn, project, token, now)
    if earlier is None:
        keep(txn, project, token, result)
    return earlier or result


async def test_done_once(database: Database) -> None:
    """The second request gets the result of the first."""
    assert await database.run(do, TOKEN, "r-1") == "r-1"
    assert await database.run(do, TOKEN, "r-2") == "r-1"


async def test_another_request(database: Database) -> None:
    """Another request with the same token is refused, and the first keeps its result."""
    await database.run(do, TOKEN, "r-1")
    with pytest.raises(TokenMismatch, match="t-1"):
        await database.run(do, replace(TOKEN, fingerprint="other"), "r-2")
    assert await database.run(do, TOKEN, "r-2") == "r-1"


async def test_scope(database: Database) -> None:
    """A token is a project's and an action's: others may use the same text."""
    await database.run(do, TOKEN, "r-1")
    assert await database.run(do, TOKEN, "r-2", project="q") == "r-2"
    assert await database.run(do, replace(TOKEN, action="CreateVolume"), "vol-1") == "vol-1"
    assert await database.run(do, replace(TOKEN, text="T-1"), "r-3") == "r-3"


async def test_a_request_that_failed(database: Database) -> None:
    """A request that was rolled back has not used its token."""

    def fail(txn: Connection) -> None:
        claim(txn, "p", TOKEN, NOW)
        raise QuotaExceeded("no room")

    with pytest.raises(QuotaExceeded):
        await database.run(fail)
    assert await database.run(do, TOKEN, "r-2") == "r-2"


async def test_known_before(database: Database) -> None:
    """A result that is known when the token is claimed is kept at once."""
    assert await database.run(claim, "p", TOKEN, NOW, "r-1") is None
    assert await database.run(claim, "p", TOKEN, NOW, "r-2") == "r-1"


async def test_life(database: Database) -> None:
    """A token is remembered for its life; then it is free."""
    await database.run(do, TOKEN, "r-1")
    soon = NOW + LIFE - timedelta(seconds=1)
    assert await database.run(do, TOKEN, "r-2", soon) == "r-1"
    assert await database.run(do, TOKEN, "r-3", NOW + LIFE) == "r-3"
    assert await database.run(do, TOKEN, "r-4", NOW + LIFE) == "r-3"


async def test_found(database: Database) -> None:
    """What was made with a token is found as long as it lives; another request's is refused."""
    assert await database.read(find, "p", TOKEN, NOW) is None
    await database.run(do, TOKEN, "r-1")
    assert await database.read(find, "p", TOKEN, NOW) == "r-1"
    assert await database.read(find, "p", TOKEN, NOW + LIFE) is None
    with pytest.raises(TokenMismatch):
        await database.read(find, "p", replace(TOKEN, fingerprint="other"), NOW)


async def test_cleared(database: Database) -> None:
    """Tokens whose time is over are removed, and no others."""
    await database.run(do, TOKEN, "r-1")
    await database.run(do, replace(TOKEN, text="t-2"), "r-2", NOW + timedelta(seconds=1))
    await database.run(clear, NOW + LIFE)
    assert await database.read(lambda txn: txn.scalars(select(table.c.token)).all()) == ["t-2"]
