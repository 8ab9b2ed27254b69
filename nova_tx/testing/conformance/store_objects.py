"""What every store promises of objects."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.internet.threads import deferToThread

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.facts import Facts, Listing
from nova_tx.objectstore.faults import (
    BadDigest,
    KeyTooLong,
)
from nova_tx.testing.conformance.store_bench import (
    GRANTS,
    LARGE,
    Opened,
    every_page,
    refused,
    sha256,
)

#: Keys that a path, a URL or an XML document would like to be something else.
KEYS = (
    "plain",
    "with space",
    "a/b//c/",
    "//",
    "%2F%00%",
    "../../etc/passwd",
    ".",
    "q?a=b&c=d#e+f",
    "ünïcode/日本",
    "tab\there\x01",
    "<&>\"'",
    "x" * 900,
    ("y/" * 200)[:-1],
)


def make_object_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class ObjectTests:
        @pytest.mark.parametrize("content", [b"", b"small", LARGE], ids=["empty", "small", "large"])
        async def test_object(self, content: bytes) -> None:
            """What was put comes back, with all that is known of it."""
            async with opened() as (store, client):
                said = {
                    "content-type": "text/plain",
                    "content-encoding": "aws-chunked,gzip",
                    "cache-control": "no-cache",
                    "x-amz-meta-colour": "blue",
                    "x-amz-meta-name": "grün",
                    "x-amz-checksum-sha256": sha256(content),
                    "accept": "nothing",
                }
                given: dict[str, Any] = {"owner": "eve", "grants": GRANTS, "tags": {"a": "ü"}}
                made = await client.put(store, "bucket", "key", content, said=said, **given)
                with closing(await store.look("bucket", "key")) as found:
                    facts = found.facts
                    assert await client.take(found) == content
                assert facts.size == made.size == len(content)
                assert facts.etag == made.etag == hashlib.md5(content).hexdigest()
                assert facts.headers == made.headers
                assert facts.headers == {
                    "content-type": "text/plain",
                    "content-encoding": "gzip",
                    "cache-control": "no-cache",
                    "x-amz-meta-colour": "blue",
                    "x-amz-meta-name": "grün",
                }
                assert facts.checksums == {"sha256": sha256(content)}
                assert (facts.owner, facts.grants, facts.tags) == ("eve", GRANTS, {"a": "ü"})
                assert facts.parts == ()
                assert abs(facts.modified - made.modified) < 120

        async def test_parts_of_it(self) -> None:
            """Any bytes of an object can be sent."""
            async with opened() as (store, client):
                for content in (b"some content", LARGE):
                    await client.put(store, "bucket", "key", content)
                    end = len(content)
                    for first, count in ((0, 1), (1, 5), (end - 7, 7), (3, end - 3), (2, 0)):
                        with closing(await store.look("bucket", "key")) as found:
                            part = await client.take(found, first, count)
                        assert part == content[first : first + count]

        async def test_read(self) -> None:
            """A thread reads an object piece by piece."""
            async with opened() as (store, client):
                for content in (b"", b"some content", LARGE):
                    await client.put(store, "bucket", "key", content)

                    def read() -> tuple[Facts, bytes]:
                        facts, pieces = store.read("bucket", "key")
                        return facts, b"".join(pieces)

                    facts, found = await deferToThread(read)
                    assert (facts.size, found) == (len(content), content)
                await refused(KeyNotFound, deferToThread(store.read, "bucket", "nothing"))

        @pytest.mark.parametrize("key", KEYS)
        async def test_keys(self, key: str) -> None:
            """A key of any text is one object, is listed so, and leaves nothing when it goes."""
            async with opened() as (store, client):
                await client.put(store, "bucket", key, b"content")
                assert await client.get(store, "bucket", key) == b"content"
                assert [each for each, _ in (await every_page(store)).objects] == [key]
                await store.remove("bucket", key)
                await refused(KeyNotFound, store.look("bucket", key))
                await store.remove_bucket("bucket")

        async def test_keys_apart(self) -> None:
            """Keys that look alike are different objects."""
            async with opened() as (store, client):
                alike = ("a", "A", "a/", "/a", "a%2F", "./a", "a/.", "a//", "=a", "+a", "~a", "a ")
                for key in alike:
                    await client.put(store, "bucket", key, key.encode())
                for key in alike:
                    assert await client.get(store, "bucket", key) == key.encode()
                await store.remove("bucket", "a")
                left = {key for key, _ in (await every_page(store)).objects}
                assert left == {*alike} - {"a"}

        async def test_long_key(self) -> None:
            """A key has at most 1024 bytes."""
            async with opened() as (store, client):
                await refused(KeyTooLong, client.put(store, "bucket", "ü" * 513, b"content"))
                await refused(KeyTooLong, client.put(store, "bucket", "ü" * 513, LARGE))
                await refused(KeyTooLong, store.look("bucket", "ü" * 513))

        async def test_replaced(self) -> None:
            """The last of several is there, and nothing of those before."""
            async with opened() as (store, client):
                for content, said in ((LARGE, {"x-amz-meta-a": "1"}), (b"new", {}), (LARGE, {})):
                    await client.put(store, "bucket", "key", content, said=said, tags={"a": "b"})
                    await client.put(store, "bucket", "key", content)
                    assert await client.get(store, "bucket", "key") == content
                [(_, facts)] = (await every_page(store)).objects
                assert facts.size == len(LARGE)
                with closing(await store.look("bucket", "key")) as found:
                    assert (found.facts.headers, found.facts.tags) == ({}, {})

        @pytest.mark.parametrize("content", [b"old", LARGE], ids=["small", "large"])
        async def test_replaced_while_read(self, content: bytes) -> None:
            """An object that was looked at is sent as it was, though it is replaced or removed."""
            async with opened() as (store, client):
                for first in (0, 1):
                    await client.put(store, "bucket", "key", content)
                    with closing(await store.look("bucket", "key")) as found:
                        await client.put(store, "bucket", "key", b"new content")
                        assert await client.take(found, first) == content[first:]
                        assert await client.get(store, "bucket", "key") == b"new content"
                    with closing(await store.look("bucket", "key")) as found:
                        await store.remove("bucket", "key")
                        assert await client.take(found, first) == b"new content"[first:]

        async def test_not_sent(self) -> None:
            """Who looks at an object and does not take it holds nothing up."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", LARGE)
                for _ in range(20):
                    (await store.look("bucket", "key")).close()
                assert await client.get(store, "bucket", "key") == LARGE

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_lying_body(self, content: bytes) -> None:
            """A body that is not the one announced is refused, and what was there stays."""
            async with opened() as (store, client):
                said = {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
                lying = client.put(store, "bucket", "key", content, said=said)
                await refused(BadDigest, lying)
                await refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old")
                said = {"x-amz-checksum-sha256": sha256(b"another")}
                lying = client.put(store, "bucket", "key", content, said=said)
                await refused(BadDigest, lying)
                assert await client.get(store, "bucket", "key") == b"old"

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_broken_off(self, content: bytes) -> None:
            """A client that goes away before the last byte leaves what was there."""
            async with opened() as (store, client):
                await refused(ConnectionLost, client.break_off(store, "bucket", "key", content))
                await refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old")
                await refused(ConnectionLost, client.break_off(store, "bucket", "key", content))
                assert await client.get(store, "bucket", "key") == b"old"
                await store.remove("bucket", "key")
                await store.remove_bucket("bucket")

        async def test_removed(self) -> None:
            """Removing what is not there is nothing."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", b"content")
                for _ in range(2):
                    await store.remove("bucket", "key")
                    await refused(KeyNotFound, store.look("bucket", "key"))
                    changed = store.change("bucket", "key", lambda now: now)
                    await refused(KeyNotFound, changed)
                    assert await every_page(store) == Listing((), (), None)

    return ObjectTests
