"""What the dead asked of another S3, and it does late, undoes nothing acknowledged since."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from nova_tx.errors import KeyNotFound, Unavailable
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import PreconditionFailed
from nova_tx.objectstore.remote import client as remote_client
from nova_tx.objectstore.uploads import Chosen, Completion, Upload
from nova_tx.testing.exchange import Exchange, exchange
from nova_tx.testing.memory_s3 import MemoryS3, store_in

SMALL, LARGE, NEWER = b"small", os.urandom(70_000), os.urandom(70_001)
#: The name of the object that all is about.
KEY = "cloud/objects/bucket/!key"
Step = Callable[[Any, Exchange], Awaitable[object]]


@pytest.fixture(autouse=True)
def _once(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> Iterator[None]:
    """Nothing is repeated, and what fails is in the log."""
    monkeypatch.setattr(remote_client, "PAUSES", ())
    yield
    logged_errors.flush()


async def _put_small(store: Any, client: Exchange) -> None:
    await client.put(store, "bucket", "key", SMALL)


async def _put_large(store: Any, client: Exchange) -> None:
    await client.put(store, "bucket", "key", LARGE)


async def _put_newer(store: Any, client: Exchange) -> None:
    await client.put(store, "bucket", "key", NEWER)


async def _change(store: Any, client: Exchange) -> None:
    await store.change("bucket", "key", lambda now: replace(now, tags={"a": "late"}))


async def _copy(store: Any, client: Exchange) -> None:
    with closing(await store.look("bucket", "from")) as found:
        await store.copy(found, "bucket", "key", lambda now: now)


async def _complete(store: Any, client: Exchange) -> None:
    upload = await store.begin_upload("bucket", Upload("key", 1.0))
    part = await client.put_part(store, upload, 1, LARGE)
    await store.complete("bucket", "key", upload.id, Completion((Chosen(1, part.etag, {}),)))


async def _remove(store: Any, client: Exchange) -> None:
    await store.remove("bucket", "key")


async def _content(store: Any, client: Exchange, key: str = "key") -> bytes | None:
    try:
        return await client.get(store, "bucket", key)
    except KeyNotFound:
        return None


async def _dies(s3: MemoryS3, method: str, part: str, work: Step, client: Exchange) -> None:
    """Something is done by who dies before the answer to a request that S3 is slow with."""
    async with store_in(s3) as store:
        s3.slow = lambda asked, name: asked == method and f"/{part}/" in name
        with pytest.raises(Unavailable):
            await work(store, client)
    s3.slow = lambda asked, name: False


async def _begun(s3: MemoryS3, client: Exchange, *there: Step) -> None:
    async with store_in(s3) as store:
        await store.create(Bucket("bucket", "joe", 1.0))
        await client.put(store, "bucket", "from", LARGE)
        for step in there:
            await step(store, client)


@pytest.mark.parametrize("newer", [_put_newer, _copy, _complete], ids=lambda step: step.__name__)
@pytest.mark.parametrize("there", [(), (_put_large,)], ids=["new", "replaced"])
@pytest.mark.parametrize(
    ("method", "late"),
    [
        ("PUT", _put_small),
        ("PUT", _put_large),
        ("PUT", _copy),
        ("PUT", _complete),
        ("PUT", _change),
        ("DELETE", _remove),
    ],
    ids=lambda it: getattr(it, "__name__", it),
)
async def test_object(method: str, late: Step, there: tuple[Step, ...], newer: Step) -> None:
    """What was acknowledged of an object after a death stays, now and after the next start."""
    from twisted.internet import reactor

    if late in (_change, _remove) and not there:
        there = (_put_small,)
    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, *there)
        await _dies(s3, method, "objects", late, client)
        async with store_in(s3) as store:
            await newer(store, client)
            expected = await _content(store, client)
            assert await s3.go_on() == [412]
            assert await _content(store, client) == expected is not None
        async with store_in(s3, later=3600.0) as store:
            assert await _content(store, client) == expected
            assert await _content(store, client, "from") == LARGE
            with closing(await store.look("bucket", "key")) as found:
                assert not found.facts.tags


async def test_removed() -> None:
    """What was removed does not come back by a late request to replace it."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, _put_small)
        await _dies(s3, "PUT", "objects", _put_large, client)
        async with store_in(s3) as store:
            await _remove(store, client)
            assert await s3.go_on() == [412]
            assert await _content(store, client) is None


async def test_part() -> None:
    """A part that was acknowledged stays."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client)
        async with store_in(s3) as store:
            upload = await store.begin_upload("bucket", Upload("key", 1.0))

        async def put_part(store: Any, client: Exchange) -> None:
            await client.put_part(store, upload, 1, LARGE)

        await _dies(s3, "PUT", "parts", put_part, client)
        async with store_in(s3) as store:
            part = await client.put_part(store, upload, 1, NEWER)
            assert await s3.go_on() == [412]
            chosen = Completion((Chosen(1, part.etag, {}),))
            await store.complete("bucket", "key", upload.id, chosen)
            assert await _content(store, client) == NEWER


async def _abort(store: Any, client: Exchange, upload: Upload) -> None:
    await store.abort("bucket", "key", upload.id)


async def _other_part(store: Any, client: Exchange, upload: Upload) -> None:
    await client.put_part(store, upload, 1, NEWER)


@pytest.mark.parametrize("then", [_abort, _other_part], ids=["abort", "other part"])
async def test_completed_late(then: Callable[[Any, Exchange, Upload], Awaitable[None]]) -> None:
    """An upload that becomes the object late has its bytes, whatever was made of it meanwhile."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, _put_small)
        async with store_in(s3) as store:
            upload = await store.begin_upload("bucket", Upload("key", 1.0))
            part = await client.put_part(store, upload, 1, LARGE)

        async def complete(store: Any, client: Exchange) -> None:
            chosen = Completion((Chosen(1, part.etag, {}),))
            await store.complete("bucket", "key", upload.id, chosen)

        await _dies(s3, "PUT", "objects", complete, client)
        async with store_in(s3) as store:
            await then(store, client, upload)
            assert await _content(store, client) == SMALL
        assert await s3.go_on() == [200]
        for later in (0.0, 3600.0, 7200.0):
            async with store_in(s3, later=later) as store:
                assert await _content(store, client) == LARGE
                left = await store.uploads("bucket", "", ("", ""), "", 9)
    assert left.uploads == ()


async def test_bucket() -> None:
    """A bucket that is in use again is not removed by who died."""
    from twisted.internet import reactor

    async def remove(store: Any, client: Exchange) -> None:
        await store.remove_bucket("bucket")

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        async with store_in(s3) as store:
            await store.create(Bucket("bucket", "joe", 1.0))
        for method, answer in (("PUT", 200), ("DELETE", 412), ("DELETE", 412)):
            await _dies(s3, method, "buckets", remove, client)
            async with store_in(s3) as store:
                await _put_small(store, client)
                assert await s3.go_on() == [answer]
            async with store_in(s3) as store:
                assert await _content(store, client) == SMALL
                await _remove(store, client)


async def test_grants() -> None:
    """What was said of a bucket after a death stays."""
    from twisted.internet import reactor

    def granted(to: str) -> Step:
        async def grant(store: Any, client: Exchange) -> None:
            await store.change_bucket("bucket", lambda now: replace(now, grants=((to, "READ"),)))

        return grant

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, granted("ann"))
        await _dies(s3, "PUT", "buckets", granted("everyone"), client)
        async with store_in(s3) as store:
            await granted("bob")(store, client)
            await granted("ann")(store, client)  # as it was, but by another write
            assert await s3.go_on() == [412]
        async with store_in(s3) as store:
            assert (await store.bucket("bucket")).grants == (("ann", "READ"),)


# At the same moment.


def _new(there: Facts | None) -> None:
    if there is not None:
        raise PreconditionFailed("it is there")


def _there(there: Facts | None) -> None:
    if there is None:
        raise PreconditionFailed("it is not there")


def _come_between(s3: MemoryS3, record: bytes, times: int) -> None:
    """Others make a record the object, just before it is written or removed, some times."""
    line, _, content = record.partition(b"\n")
    others = [json.dumps({**json.loads(line), "write": str(n)}).encode() for n in range(times)]

    def come(method: str, name: str) -> None:
        if others and method in ("PUT", "DELETE") and name == KEY:
            s3.objects[KEY] = others.pop() + b"\n" + content

    s3.fault = come


@pytest.mark.parametrize(("times", "done"), [(1, True), (3, True), (4, False)])
@pytest.mark.parametrize("work", [_put_newer, _remove], ids=["put", "remove"])
async def test_others_between(work: Step, times: int, done: bool) -> None:
    """Who is told that others were there does it again, and gives up if they always are."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, _put_small)
        async with store_in(s3) as store:
            _come_between(s3, s3.objects[KEY], times)
            if done:
                await work(store, client)
                assert await _content(store, client) == (NEWER if work is _put_newer else None)
            else:
                with pytest.raises(Unavailable, match="written to by another"):
                    await work(store, client)
                assert await _content(store, client) == SMALL


async def test_condition_between() -> None:
    """Who makes an object if there is none is told of one that another made at that moment."""
    from twisted.internet import reactor

    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client, _put_small)
        record = s3.objects.pop(KEY)
        async with store_in(s3) as store:
            _come_between(s3, record, 1)
            with pytest.raises(PreconditionFailed):
                await client.put(store, "bucket", "key", NEWER, condition=_new)
            assert await _content(store, client) == SMALL


@pytest.mark.parametrize("content", [SMALL, NEWER], ids=["small", "large"])
async def test_lost_answer(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again since no answer came knows its own write, and is done."""
    from twisted.internet import reactor

    monkeypatch.setattr(remote_client, "PAUSES", (0.0,))
    s3 = MemoryS3()
    async with exchange(reactor) as client:
        await _begun(s3, client)
        async with store_in(s3) as store:
            lost: list[str] = []

            def lose(method: str, name: str) -> int | None:
                if name == KEY and method != "GET" and method not in lost:
                    lost.append(method)
                    return 503
                return None

            s3.late = lose
            await client.put(store, "bucket", "key", content, condition=_new)
            assert await _content(store, client) == content
            await store.remove("bucket", "key", _there)
            assert await _content(store, client) is None
            assert lost == ["PUT", "DELETE"]
