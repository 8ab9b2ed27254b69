"""The store in another S3 keeps what every store promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nova_tx.objectstore.interfaces import IStore
from nova_tx.testing.conformance.store import make_store_tests
from nova_tx.testing.memory_s3 import MemoryS3, store_in


@asynccontextmanager
async def opened() -> AsyncIterator[IStore]:
    """A store in an S3 of its own."""
    async with store_in(MemoryS3()) as store:
        yield store


@asynccontextmanager
async def opened_in_simple() -> AsyncIterator[IStore]:
    """In one that heeds no conditions."""
    async with store_in(MemoryS3(False, False, False)) as store:
        yield store


class TestRemoteStore(make_store_tests(opened)):  # type: ignore[misc]
    """The suite of IStore in memory."""


class TestInSimple(make_store_tests(opened_in_simple)):  # type: ignore[misc]
    """The same where conditions are not heeded."""
