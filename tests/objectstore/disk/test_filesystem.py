"""The store on a disk keeps what every store promises."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nova_tx.objectstore.disk.filesystem import FilesystemStore
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.threads import Pool
from nova_tx.testing.conformance.store import make_store_tests


@asynccontextmanager
async def opened() -> AsyncIterator[IStore]:
    """A store in a directory of its own, with threads, as the daemon has it."""
    from twisted.internet import reactor

    pools = Pool(reactor, "files", 2), Pool(reactor, "bodies", 2)
    with tempfile.TemporaryDirectory() as directory:
        store = FilesystemStore(directory, *pools)
        for pool in pools:
            pool.start()
        try:
            await store.open()
            yield store
            await store.close()
        finally:
            for pool in pools:
                await pool.stop()


class TestFilesystemStore(make_store_tests(opened)):  # type: ignore[misc]
    """The suite of IStore in a directory."""
