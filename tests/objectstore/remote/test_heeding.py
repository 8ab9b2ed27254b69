"""Whether another S3 heeds conditions is seen by what it does, and they are sent if it does."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.web.http_headers import Headers

from nova_tx.errors import Unavailable
from nova_tx.flags import BackendFlags
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.remote import client as remote_client
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.heeding import Heeded, heeded
from nova_tx.objectstore.remote.place import place
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.exchange import exchange
from nova_tx.testing.memory_s3 import MemoryS3, store_in

CONDITIONS = (b"if-match", b"if-none-match")


class _Watched(MemoryS3):
    """Knows who sent conditions, and may refuse some."""

    def __init__(self, *heeds: bool, quote: str = '"', refused: tuple[bytes, ...] = ()) -> None:
        super().__init__(*heeds, quote=quote)
        self.conditions: list[tuple[str, bytes]] = []
        self._refused = refused

    def request(self, method: bytes, *asked: Any, **more: Any) -> Deferred[Any]:
        headers = next(each for each in (*asked, *more.values()) if isinstance(each, Headers))
        said = [each for each in CONDITIONS if headers.hasHeader(each)]
        self.conditions += [(method.decode(), each) for each in said]
        if not set(said) & set(self._refused):
            return super().request(method, *asked, **more)
        before, self.fault = self.fault, lambda method, name: 501
        try:
            return super().request(method, *asked, **more)
        finally:
            self.fault = before


async def _seen(s3: MemoryS3) -> Heeded:
    from twisted.internet import reactor

    where = place(BackendFlags("http://memory/bucket", "access", "secret"))
    return await heeded(Client(where, s3, reactor, InlinePool()), "probes/")


@pytest.mark.parametrize(
    ("s3", "expected"),
    [
        (_Watched(), Heeded(True, True, True, '"')),
        (_Watched(quote=""), Heeded(True, True, True, "")),
        (_Watched(True, True, False), Heeded(True, True, False, '"')),
        (_Watched(False, True, False), Heeded(False, True, False, '"')),
        (_Watched(True, False, False), Heeded(True, False, False, "")),
        (_Watched(False, False, False), Heeded(False, False, False, "")),
        (_Watched(refused=CONDITIONS), Heeded(False, False, False, "")),
        (_Watched(refused=CONDITIONS[:1]), Heeded(True, False, False, "")),
        (_Watched(refused=CONDITIONS[1:]), Heeded(False, True, True, '"')),
    ],
    ids=[
        *("all", "no quotes", "PUT", "If-Match of PUT", "If-None-Match", "none"),
        *("all refused", "If-Match refused", "If-None-Match refused"),
    ],
)
async def test_seen(s3: _Watched, expected: Heeded) -> None:
    """What an S3 does is found, said in a line, and nothing is left there."""
    lines: list[str | None] = []

    def see(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    s3.objects["probes/of the dead"] = b"first"
    globalLogPublisher.addObserver(see)
    try:
        assert await _seen(s3) == expected
    finally:
        globalLogPublisher.removeObserver(see)
    found = ("yes" if each else "no" for each in (expected.new, expected.same, expected.removals))
    assert lines == [
        "the S3 behind this one heeds If-None-Match of PUT: {}, If-Match of PUT: {},"
        " If-Match of DELETE: {}".format(*found)
    ]
    assert s3.objects == {}


async def test_answers_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each answer is lost once, and its request repeated, the same is found."""
    monkeypatch.setattr(remote_client, "PAUSES", (0.0,))
    for heeds in (True, False):
        s3 = MemoryS3(heeds, heeds, heeds)
        lost: list[int] = []

        def lose(method: str, name: str, lost: list[int] = lost) -> int | None:
            lost.append(len(lost))
            return 503 if len(lost) % 2 else None

        s3.late = lose
        assert await _seen(s3) == Heeded(heeds, heeds, heeds, '"' if heeds else "")


@pytest.mark.parametrize("quote", ['"', ""])
@pytest.mark.parametrize("heeds", [True, False])
async def test_sent(heeds: bool, quote: str) -> None:
    """Conditions go with writes of records if they are heeded, and else with none."""
    from twisted.internet import reactor

    s3 = _Watched(heeds, heeds, heeds, quote=quote)
    async with store_in(s3) as store, exchange(reactor) as client:
        s3.conditions.clear()
        await store.create(Bucket("bucket", "joe", 1.0))
        for content in (b"one", b"two"):
            await client.put(store, "bucket", "key", content)
        await store.remove("bucket", "key")
    new, same = ("PUT", b"if-none-match"), ("PUT", b"if-match")
    assert s3.conditions == ([new, new, same, ("DELETE", b"if-match")] if heeds else [])


@pytest.mark.parametrize("status", [403, 507])
async def test_no_writes(status: int, logged_errors: Any) -> None:
    """Where nothing may be written, or there is no room, what is there can be read all the same."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        async with store_in(s3) as store:
            await store.create(Bucket("bucket", "joe", 1.0))
            await client.put(store, "bucket", "key", b"content")
        s3.fault = lambda method, name: status if method == "PUT" else None
        async with store_in(s3) as store:
            assert await client.get(store, "bucket", "key") == b"content"
            with pytest.raises(Unavailable):
                await client.put(store, "bucket", "key", b"other")
    logged_errors.flush()
