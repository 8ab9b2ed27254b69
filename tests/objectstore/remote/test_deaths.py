"""Who dies before or after any request to the other S3 leaves what was, or what was to be."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import replace
from typing import Any

import pytest

from nova_tx.errors import BucketNotFound, KeyNotFound, NovaError, StartupError, Unavailable
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import NoSuchUpload
from nova_tx.objectstore.remote import client as remote_client
from nova_tx.objectstore.remote.garbage import SAFE
from nova_tx.objectstore.uploads import Chosen, Completion, Upload
from nova_tx.testing.exchange import Exchange, exchange
from nova_tx.testing.memory_s3 import MemoryS3, refused, store_in

SMALL, LARGE, OTHER = b"small", os.urandom(70_000), os.urandom(70_001)
Step = Callable[[Any, Exchange], Awaitable[object]]


async def _parts(store: Any, client: Exchange, again: bool = False) -> tuple[Upload, Completion]:
    upload = await store.begin_upload("bucket", Upload("key", 1.0))
    for content in (LARGE, OTHER)[: 1 + again]:
        part = await client.put_part(store, upload, 1, content)
    await client.put_part(store, upload, 2, LARGE)
    return upload, Completion((Chosen(1, part.etag, {}),))


async def _put(store: Any, client: Exchange) -> None:
    await client.put(store, "bucket", "key", OTHER)


async def _put_small(store: Any, client: Exchange) -> None:
    await client.put(store, "bucket", "key", SMALL)


async def _remove(store: Any, client: Exchange) -> None:
    await store.remove("bucket", "key")


async def _copy(store: Any, client: Exchange) -> None:
    with closing(await store.look("bucket", "from")) as found:
        await store.copy(found, "bucket", "key", lambda now: now)


async def _complete(store: Any, client: Exchange) -> None:
    upload, completion = await _parts(store, client, True)
    await store.complete("bucket", "key", upload.id, completion)


async def _abort(store: Any, client: Exchange) -> None:
    upload, _ = await _parts(store, client)
    await store.abort("bucket", "key", upload.id)


async def _change(store: Any, client: Exchange) -> None:
    await store.change("bucket", "key", lambda now: replace(now, tags={"a": "b"}))


#: Each with what may be behind the key after it was begun, beside what was.
STEPS: dict[str, tuple[Step, bytes | None]] = {
    "put": (_put, OTHER),
    "put small": (_put_small, SMALL),
    "remove": (_remove, None),
    "copy": (_copy, OTHER),
    "complete": (_complete, OTHER),
    "abort": (_abort, LARGE),
    "change": (_change, LARGE),
}


class _Death:
    """Lets some requests pass, and then none."""

    def __init__(self, s3: MemoryS3, after: int, answered: bool) -> None:
        """
        @param answered: else the last one is done, and nobody hears of it.
        """
        self.happened = False
        self._left = after
        if answered:
            s3.fault = self._count
        else:
            s3.late = self._count
            s3.fault = lambda method, name: refused(method, name) if self.happened else None

    def _count(self, method: str, name: str) -> int | None:
        self._left -= 1
        if self._left < 0:
            self.happened = True
            return refused(method, name)
        return None


async def _state(store: Any, client: Exchange, key: str) -> bytes | None:
    try:
        return await client.get(store, "bucket", key)
    except KeyNotFound:
        return None


def _data(s3: MemoryS3) -> set[str]:
    return {name.rpartition("/")[2] for name in s3.objects if name.startswith("cloud/data/")}


def _named(s3: MemoryS3) -> set[str]:
    """The bytes that objects and parts name."""
    found: set[str] = set()
    for name, content in s3.objects.items():
        known = json.loads(content.partition(b"\n")[0]) if "/data/" not in name else {}
        if name.startswith("cloud/objects/"):
            found.update(each for each, _ in known["data"])
        if name.startswith("cloud/parts/"):
            found.add(known["data"])
    return found


@pytest.mark.parametrize("answered", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_death(
    step: str, answered: bool, monkeypatch: pytest.MonkeyPatch, logged_errors: Any
) -> None:
    """
    After a death at any request each object is whole, as it was or as it was to be; what was
    acknowledged is there, and after a while nothing is left over.
    """
    from twisted.internet import reactor

    monkeypatch.setattr(remote_client, "PAUSES", ())
    work, new = STEPS[step]
    deaths = 0
    async with exchange(reactor) as client:
        while True:
            s3 = MemoryS3()
            async with store_in(s3) as store:
                await store.create(Bucket("bucket", "joe", 1.0))
                await client.put(store, "bucket", "key", LARGE)
                await client.put(store, "bucket", "from", OTHER)
            async with store_in(s3) as store:
                death = _Death(s3, deaths, answered)
                done = await _done(work(store, client))
            s3.fault = s3.late = lambda method, name: None
            async with store_in(s3) as store:
                there = await _state(store, client, "key")
                assert there == new if done else there in (LARGE, new)
                assert await _state(store, client, "from") == OTHER
                left = await store.uploads("bucket", "", ("", ""), "", 9)
                for upload in left.uploads if deaths % 2 else ():
                    with suppress(NoSuchUpload):  # it is the object, and nobody was told
                        await store.abort("bucket", "key", upload.id)
                assert await _state(store, client, "key") == there
            async with store_in(s3, later=3600.0) as store:
                assert await _state(store, client, "key") == there
                assert _data(s3) == _named(s3), (deaths, s3.objects.keys())
                assert not [name for name in s3.objects if "/garbage/" in name]
                left = await store.uploads("bucket", "", ("", ""), "", 9)
                for upload in left.uploads:
                    await store.abort("bucket", upload.key, upload.id)
                for key in ("key", "from"):
                    await store.remove("bucket", key)
                await store.remove_bucket("bucket")
            async with store_in(s3, later=7200.0):
                pass  # what was aborted is old enough now
            assert s3.objects == {}
            if not death.happened:
                break
            deaths += 1
    logged_errors.flush()
    assert deaths > 1


async def test_what_is_young_stays(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """Bytes of the dead stay as long as a request of theirs, that names them, may arrive."""
    from twisted.internet import reactor

    monkeypatch.setattr(remote_client, "PAUSES", ())
    s3 = MemoryS3()
    async with store_in(s3) as store, exchange(reactor) as client:
        await store.create(Bucket("bucket", "joe", 1.0))
        s3.fault = lambda method, name: 503 if "/objects/" in name and method == "PUT" else None
        with pytest.raises(Unavailable):
            await client.put(store, "bucket", "key", LARGE)
    s3.fault = lambda method, name: None
    for later, left in ((0.0, 1), (SAFE - 60, 1), (SAFE + 60, 0)):
        async with store_in(s3, later=later):
            assert len(_data(s3)) == left
    logged_errors.flush()


async def test_over(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """An upload that became an object is over when that is replaced, though its end failed."""
    from twisted.internet import reactor

    monkeypatch.setattr(remote_client, "PAUSES", ())
    s3 = MemoryS3()
    async with exchange(reactor) as client:
        async with store_in(s3) as store:
            await store.create(Bucket("bucket", "joe", 1.0))
            upload, completion = await _parts(store, client)
            s3.fault = lambda method, name: (
                503 if method == "DELETE" and "/uploads/" in name else None
            )
            with pytest.raises(Unavailable):
                await store.complete("bucket", "key", upload.id, completion)
            s3.fault = lambda method, name: None
        async with store_in(s3) as store:
            await client.put(store, "bucket", "key", OTHER)
            with pytest.raises(NoSuchUpload):
                await store.complete("bucket", "key", upload.id, completion)
            assert await _state(store, client, "key") == OTHER
    logged_errors.flush()


async def test_bucket_in_doubt(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """Nothing comes into a bucket of which nobody knows whether it is removed."""
    monkeypatch.setattr(remote_client, "PAUSES", ())
    s3 = MemoryS3()
    async with store_in(s3) as store:
        await store.create(Bucket("bucket", "joe", 1.0))
        s3.late = lambda method, name: 503 if method == "DELETE" else None
        with pytest.raises(Unavailable):
            await store.remove_bucket("bucket")
        s3.late = lambda method, name: None
        with pytest.raises(BucketNotFound):
            await store.begin_upload("bucket", Upload("key", 1.0))
    logged_errors.flush()


async def _done(work: Awaitable[object]) -> bool:
    """Whether something was acknowledged."""
    try:
        await work
    except Unavailable:
        return False
    return True


async def test_not_there(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """A store whose S3 does not answer can't be opened, and says why in a sentence."""
    monkeypatch.setattr(remote_client, "PAUSES", ())
    s3 = MemoryS3()
    s3.fault = refused
    with pytest.raises(StartupError, match="s3_backend_url can't be used: ConnectionRefusedError"):
        async with store_in(s3):
            pass
    s3.fault = lambda method, name: 403
    with pytest.raises(StartupError, match="it answers 403 Fault"):
        async with store_in(s3):
            pass
    assert len(logged_errors.flush()) == 2


async def test_busy(monkeypatch: pytest.MonkeyPatch, logged_errors: Any) -> None:
    """While its S3 is away nothing is acknowledged, and afterwards all is as before."""
    from twisted.internet import reactor

    monkeypatch.setattr(remote_client, "PAUSES", ())
    s3 = MemoryS3()
    async with store_in(s3) as store, exchange(reactor) as client:
        await store.create(Bucket("bucket", "joe", 1.0))
        await client.put(store, "bucket", "key", LARGE)
        s3.fault = lambda method, name: 503
        for content in (SMALL, OTHER):
            with pytest.raises(NovaError, match="reduce your request rate"):
                await client.put(store, "bucket", "key", content)
        with pytest.raises(Unavailable):
            await store.look("bucket", "key")
        s3.fault = lambda method, name: None
        assert await _state(store, client, "key") == LARGE
        listed = await store.listing("bucket", "", "", "", 9)
        [(key, facts)] = listed.objects
        assert (key, facts.size) == ("key", len(LARGE)) and isinstance(facts, Facts)
    logged_errors.flush()
