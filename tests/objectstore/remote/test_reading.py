"""Objects of another S3 whose reading ends in the middle."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from threading import get_ident
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.web.client import ResponseFailed

from nova_tx.errors import Unavailable
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.remote.bodies import Incoming
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.testing.exchange import exchange
from nova_tx.testing.memory_s3 import MemoryS3, store_in


async def test_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops has the body given up by the event loop: a thread may not close connections."""
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


class _Breaking:
    """An object that breaks off in its middle."""

    facts = Facts(10, "etag", 1.0, {}, {})

    async def send(self, request: StreamingRequest, status: int, *told: Any) -> None:
        await request.send_pieces(status, {}, 10, self._pieces())

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield b"four"
        raise Unavailable("no more")


async def test_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose object breaks off has its connection cut, for it was told a length."""
    from twisted.internet import reactor

    cuts: list[StreamingRequest] = []
    cut = StreamingRequest.cut
    monkeypatch.setattr(StreamingRequest, "cut", lambda it: (cuts.append(it), cut(it)))
    async with exchange(reactor) as client:
        with pytest.raises(ResponseFailed):
            await client.take(cast(Any, _Breaking()))
    assert len(cuts) == 1  # else one that stays open would be waited for
