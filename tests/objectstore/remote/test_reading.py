"""A thread that reads an object may stop in the middle."""

from __future__ import annotations

import os
from threading import get_ident

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.remote.bodies import Incoming
from nova_tx.testing.exchange import exchange
from nova_tx.testing.memory_s3 import MemoryS3, store_in


async def test_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is given up then, by the event loop: a connection is not a thread's to close."""
    from twisted.internet import reactor

    given_up: Deferred[int] = Deferred()
    monkeypatch.setattr(Incoming, "abort", lambda body: given_up.callback(get_ident()))
    async with store_in(MemoryS3()) as store, exchange(reactor) as client:
        await store.create(Bucket("bucket", "joe", 1000.0))
        await client.put(store, "bucket", "key", os.urandom(70_000))

        def read_some() -> bytes:
            _, pieces = store.read("bucket", "key")
            return next(pieces)

        assert await deferToThread(read_some)
        assert await given_up == get_ident()
