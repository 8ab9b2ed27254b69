"""What the suites of IStore begin with, and what they expect."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.faults import PreconditionFailed
from nova_tx.objectstore.interfaces import IStore
from nova_tx.testing.exchange import Exchange, exchange

#: A context in which a store is open, without buckets.
World = Callable[[], AbstractAsyncContextManager[IStore]]
#: A context with a store that has joe's bucket C{bucket}, and a client.
Opened = Callable[[], AbstractAsyncContextManager[tuple[Any, Exchange]]]

LARGE = os.urandom(3 * 2**20 + 17)
GRANTS = (("eve", "READ"), ("http://acs.amazonaws.com/groups/global/AllUsers", "READ_ACP"))


def with_bucket(world: World) -> Opened:
    """The stores of a world, with what the suites begin with."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Any, Exchange]]:
        from twisted.internet import reactor

        async with world() as store, exchange(reactor) as client:
            await store.create(joes_bucket())
            yield store, client

    return opened


def joes_bucket(owner: str = "joe") -> Bucket:
    return Bucket("bucket", owner, 1000.0)


async def refused(error: type[Exception], asked: Awaitable[Any]) -> None:
    with pytest.raises(error) as caught:
        await asked
    assert type(caught.value) is error


async def every_page(
    store: Any, prefix: str = "", delimiter: str = "", limit: int = 1000
) -> Listing:
    """Every page of a listing as one."""
    objects: list[tuple[str, Facts]] = []
    prefixes: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await store.listing("bucket", prefix, after, delimiter, limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        objects += page.objects
        prefixes += page.prefixes
        after = page.last
    return Listing(tuple(objects), tuple(prefixes), None)


def absent(now: Facts | None) -> None:
    if now is not None:
        raise PreconditionFailed("it is there")


def sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def outcome(asked: Awaitable[Any]) -> Deferred[Any]:
    """What came of it: the result, or the error."""

    async def wait() -> Any:
        try:
            return await asked
        except Exception as error:
            return error

    return Deferred.fromCoroutine(wait())
