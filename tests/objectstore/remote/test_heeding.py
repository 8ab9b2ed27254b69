"""Whether another S3 heeds conditions is seen by what it does, and they are sent if it does."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.web.http_headers import Headers

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

    def __init__(self, *args: bool, refused: tuple[bytes, ...] = ()) -> None:
        super().__init__(*args)
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
        (_Watched(), Heeded(True, True)),
        (_Watched(True, False), Heeded(True, False)),
        (_Watched(False, False), Heeded(False, False)),
        (_Watched(refused=CONDITIONS), Heeded(False, False)),
        (_Watched(refused=CONDITIONS[:1]), Heeded(False, False)),
        (_Watched(refused=CONDITIONS[1:]), Heeded(False, False)),
    ],
    ids=["both", "put", "none", "refused", "no if-match", "no if-none-match"],
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
    puts, removals = ("yes" if each else "no" for each in (expected.puts, expected.removals))
    said = f"the S3 behind this one heeds conditions of PUT: {puts}, of DELETE: {removals}"
    assert lines == [said]
    assert s3.objects == {}


async def test_answers_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each answer is lost once, and its request repeated, the same is found."""
    monkeypatch.setattr(remote_client, "PAUSES", (0.0,))
    for heeds in (True, False):
        s3 = MemoryS3(heeds, heeds)
        lost: list[int] = []

        def lose(method: str, name: str, lost: list[int] = lost) -> int | None:
            lost.append(len(lost))
            return 503 if len(lost) % 2 else None

        s3.late = lose
        assert await _seen(s3) == Heeded(heeds, heeds)


@pytest.mark.parametrize("heeds", [True, False])
async def test_sent(heeds: bool) -> None:
    """Conditions go with writes of records if they are heeded, and else with none."""
    from twisted.internet import reactor

    s3 = _Watched(heeds, heeds)
    async with store_in(s3) as store, exchange(reactor) as client:
        s3.conditions.clear()
        await store.create(Bucket("bucket", "joe", 1.0))
        for content in (b"one", b"two"):
            await client.put(store, "bucket", "key", content)
        await store.remove("bucket", "key")
    new, same = ("PUT", b"if-none-match"), ("PUT", b"if-match")
    assert s3.conditions == ([new, new, same, ("DELETE", b"if-match")] if heeds else [])
