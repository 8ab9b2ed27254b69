"""What every store promises of objects that are copied."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import KeyTooLong, NoSuchUpload, PreconditionFailed
from nova_tx.objectstore.uploads import SMALLEST_PART, Chosen, Completion, Upload
from nova_tx.testing.conformance.store_bench import (
    GRANTS,
    LARGE,
    Opened,
    absent,
    every_page,
    refused,
    sha256,
)

FIRST = os.urandom(SMALLEST_PART + 3)
LAST = b"the end"


def _same(facts: Facts) -> Facts:
    return facts


async def _in_parts(store: Any, client: Any, key: str, *contents: bytes) -> Facts:
    """An object that came in parts."""
    upload = await store.begin_upload("bucket", Upload(key, 1.0))
    parts = [
        await client.put_part(store, upload, number, content)
        for number, content in enumerate(contents, 1)
    ]
    chosen = tuple(Chosen(part.number, part.etag, {}) for part in parts)
    found: Facts = await store.complete("bucket", key, upload.id, Completion(chosen))
    return found


def make_copy_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class CopyTests:
        @pytest.mark.parametrize(
            "content", [b"", b"content", LARGE], ids=["empty", "small", "large"]
        )
        async def test_copy(self, content: bytes) -> None:
            """A copy has the bytes and all that is known, but what is changed of it."""
            async with opened() as (store, client):
                await store.create(Bucket("other", "eve", 1.0))
                said = {"x-amz-meta-a": "b", "x-amz-checksum-sha256": sha256(content)}
                await client.put(store, "bucket", "key", content, said=said, tags={"a": "b"})
                with closing(await store.look("bucket", "key")) as found:
                    facts = found.facts
                    made = await store.copy(
                        found, "other", "to", lambda now: replace(now, owner="eve", grants=GRANTS)
                    )
                    assert made == replace(
                        facts, owner="eve", grants=GRANTS, modified=made.modified
                    )
                with closing(await store.look("other", "to")) as copied:
                    assert copied.facts == replace(made, modified=copied.facts.modified)
                    assert await client.take(copied) == content
                await store.remove("bucket", "key")
                assert await client.get(store, "other", "to") == content
                await store.remove("other", "to")
                await store.remove_bucket("other")

        async def test_copy_of_parts(self) -> None:
            """A copy of an object that came in parts is one that came whole."""
            async with opened() as (store, client):
                whole = FIRST + LAST
                await _in_parts(store, client, "key", FIRST, LAST)
                with closing(await store.look("bucket", "key")) as found:
                    made = await store.copy(found, "bucket", "to", _same)
                assert (made.etag, made.parts) == (hashlib.md5(whole).hexdigest(), ())
                assert made.size == len(whole)
                assert await client.get(store, "bucket", "to") == whole
                listed = dict((await every_page(store)).objects)
                assert listed["to"].etag == made.etag != listed["key"].etag

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_checksum_of_copy(self, content: bytes) -> None:
            """A copy gets the checksum that is asked for."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", content)
                with closing(await store.look("bucket", "key")) as found:
                    made = await store.copy(found, "bucket", "to", _same, "sha256")
                assert made.checksums == {"sha256": sha256(content)}
                assert made.etag == hashlib.md5(content).hexdigest()

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_copy_to_itself(self, content: bytes) -> None:
            """An object that is copied to itself is there as before, with what was changed."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", content)
                with closing(await store.look("bucket", "key")) as found:
                    headers = {"x-amz-meta-b": "c"}
                    await store.copy(
                        found, "bucket", "key", lambda now: replace(now, headers=headers)
                    )
                    assert await client.take(found) == content
                with closing(await store.look("bucket", "key")) as found:
                    assert found.facts.headers == headers
                assert await client.get(store, "bucket", "key") == content

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_copy_refused(self, content: bytes) -> None:
            """A copy to where it can't be, or under a condition that fails, changes nothing."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", content)
                await client.put(store, "bucket", "to", b"old")
                with closing(await store.look("bucket", "key")) as found:
                    copying = store.copy(found, "bucket", "to", _same, condition=absent)
                    await refused(PreconditionFailed, copying)
                    await refused(BucketNotFound, store.copy(found, "nothing", "to", _same))
                    await refused(KeyTooLong, store.copy(found, "bucket", "ü" * 513, _same))
                    await store.copy(found, "bucket", "new", _same, condition=absent)
                assert await client.get(store, "bucket", "to") == b"old"
                assert await client.get(store, "bucket", "new") == content
                assert await client.get(store, "bucket", "key") == content

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_copy_of_what_goes(self, content: bytes) -> None:
            """What was looked at is copied as it was, though it is replaced."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", content)
                with closing(await store.look("bucket", "key")) as found:
                    await client.put(store, "bucket", "key", b"new")
                    await store.copy(found, "bucket", "to", _same)
                    await store.remove("bucket", "key")
                assert await client.get(store, "bucket", "to") == content
                await refused(KeyNotFound, store.look("bucket", "key"))

        async def test_copied_parts(self) -> None:
            """Bytes of objects become parts as if they had been sent."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "small", b"some content")
                await client.put(store, "bucket", "large", LARGE)
                await _in_parts(store, client, "parts", FIRST, LAST)
                upload = await store.begin_upload("bucket", Upload("key", 1.0))
                contents = []
                for number, (key, content, first, count) in enumerate(
                    (
                        ("parts", FIRST + LAST, 1, len(FIRST) + 2),
                        ("large", LARGE, 7, len(LARGE) - 7),
                        ("small", b"some content", 5, 7),
                    ),
                    1,
                ):
                    with closing(await store.look("bucket", key)) as found:
                        part = await store.copy_part(
                            found, first, count, "bucket", "key", upload.id, number
                        )
                    contents.append(content[first : first + count])
                    assert (part.number, part.size) == (number, count)
                    assert part.etag == hashlib.md5(contents[-1]).hexdigest()
                page = await store.parts("bucket", "key", upload.id, 0, 9)
                chosen = Completion(
                    tuple(Chosen(part.number, part.etag, {}) for part in page.parts[::2])
                )
                await store.complete("bucket", "key", upload.id, chosen)
                assert await client.get(store, "bucket", "key") == contents[0] + contents[2]

        async def test_copied_part_has_the_checksum(self) -> None:
            """A part that is copied has the checksum that its upload is to have."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "from", LARGE)
                wanted = Upload("key", 1.0, {}, "sha256", "COMPOSITE")
                upload = await store.begin_upload("bucket", wanted)
                with closing(await store.look("bucket", "from")) as found:
                    part = await store.copy_part(found, 1, 5, "bucket", "key", upload.id, 1)
                    assert part.checksums == {"sha256": sha256(LARGE[1:6])}
                    copying = store.copy_part(found, 1, 5, "bucket", "key", "0" * 32, 1)
                    await refused(NoSuchUpload, copying)

    return CopyTests
