"""What every implementation of IStore promises."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionLost
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.faults import (
    BadDigest,
    BucketAlreadyExists,
    BucketNotEmpty,
    InvalidBucketName,
    KeyTooLong,
    PreconditionFailed,
)
from nova_tx.objectstore.interfaces import IFound, IStore
from nova_tx.testing.exchange import Exchange, exchange

#: A context in which a store is open, without buckets.
World = Callable[[], AbstractAsyncContextManager[IStore]]

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
LARGE = os.urandom(3 * 2**20 + 17)
SORTED = ("B", "a", "a/1", "a/2", "a/2/x", "b", "p" * 63, "p" * 64, "p" * 65, "p" * 200, "ü", "日")
GRANTS = (("eve", "READ"), ("http://acs.amazonaws.com/groups/global/AllUsers", "READ_ACP"))


def _bucket(owner: str = "joe") -> Bucket:
    return Bucket("bucket", owner, 1000.0)


async def _refused(error: type[Exception], asked: Awaitable[Any]) -> None:
    with pytest.raises(error) as caught:
        await asked
    assert type(caught.value) is error


async def _all(store: Any, prefix: str = "", delimiter: str = "", limit: int = 1000) -> Listing:
    """Every page of a listing as one."""
    objects: list[tuple[str, Facts]] = []
    prefixes: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await store.listing("bucket", prefix, after, delimiter, limit)
        assert len(page.objects) + len(page.prefixes) <= limit
        objects += page.objects
        prefixes += page.prefixes
        after = page.last
    return Listing(tuple(objects), tuple(prefixes), None)


def _absent(now: Facts | None) -> None:
    if now is not None:
        raise PreconditionFailed("it is there")


def make_store_tests(factory: World) -> type:
    """
    The suite as a class to inherit from.

    @param factory: see L{World}.
    """

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[Any, Exchange]]:
        """A store with joe's bucket, and a client."""
        from twisted.internet import reactor

        async with factory() as store, exchange(reactor) as client:
            await store.create(_bucket())
            yield store, client

    class StoreTests:
        async def test_interface(self) -> None:
            """It has the methods of IStore and IFound, with their parameters."""
            async with opened() as (store, client):
                assert verifyObject(IStore, store)
                await client.put(store, "bucket", "key", b"content")
                with closing(await store.look("bucket", "key")) as found:
                    assert verifyObject(IFound, found)

        # Buckets.

        async def test_bucket(self) -> None:
            """A bucket is its maker's until it is removed, and then anybody's."""
            async with opened() as (store, _):
                first = await store.bucket("bucket")
                assert (first.name, first.owner, first.created) == ("bucket", "joe", 1000.0)
                again = replace(_bucket(), created=2000.0)
                assert await store.create(again) == first
                await _refused(BucketAlreadyExists, store.create(_bucket("eve")))
                assert await store.buckets() == (first,)
                assert store.known("bucket") in (first, None)
                await store.remove_bucket("bucket")
                assert await store.buckets() == ()
                assert store.known("bucket") is None
                await _refused(BucketNotFound, store.bucket("bucket"))
                await _refused(BucketNotFound, store.remove_bucket("bucket"))
                assert (await store.create(_bucket("eve"))).owner == "eve"

        async def test_buckets_in_order(self) -> None:
            """All buckets are listed, by name."""
            async with opened() as (store, _):
                for name in ("zoo", "apes", "bucket-1"):
                    await store.create(replace(_bucket("eve"), name=name))
                names = [each.name for each in await store.buckets()]
                assert names == ["apes", "bucket", "bucket-1", "zoo"]

        @pytest.mark.parametrize("name", ["", ".", "..", ".new", "a/b", "_images", "ü", "a\n"])
        async def test_bucket_names(self, name: str) -> None:
            """A name that could be something else is no bucket's."""
            async with opened() as (store, _):
                await _refused(InvalidBucketName, store.create(replace(_bucket(), name=name)))
                await _refused(InvalidBucketName, store.bucket(name))

        async def test_bucket_of_others(self) -> None:
            """Of many who make the same bucket at once, one gets it."""
            async with opened() as (store, _):
                asked = [store.create(Bucket("new", f"u{n}", 1.0)) for n in range(8)]
                results = await gatherResults([_outcome(each) for each in asked])
                made = [each for each in results if isinstance(each, Bucket)]
                assert len(made) == 1
                assert {type(each) for each in results} == {Bucket, BucketAlreadyExists}
                assert await store.bucket("new") == made[0]

        async def test_bucket_changed(self) -> None:
            """What is known of a bucket is changed, but for its name, owner and age."""
            async with opened() as (store, _):
                rules = ({"AllowedMethod": ["GET"], "AllowedOrigin": ["*"]},)

                def change(now: Bucket) -> Bucket:
                    return replace(now, grants=GRANTS, tags={"a": "ü"}, cors=rules)

                changed = await store.change_bucket("bucket", change)
                assert changed == await store.bucket("bucket")
                assert (changed.owner, changed.created) == ("joe", 1000.0)
                assert (changed.grants, changed.tags) == (GRANTS, {"a": "ü"})
                assert changed.cors == rules
                await _refused(BucketNotFound, store.change_bucket("other", change))

        async def test_bucket_with_objects(self) -> None:
            """A bucket with an object can't be removed; once it is empty, it can, and stays so."""
            async with opened() as (store, client):
                for key in ("key", "k" * 200):
                    await client.put(store, "bucket", key, b"content")
                    await store.change("bucket", key, lambda now: replace(now, tags={"a": "b"}))
                    await _refused(BucketNotEmpty, store.remove_bucket("bucket"))
                    assert await client.get(store, "bucket", key) == b"content"
                    await store.remove("bucket", key)
                await store.remove_bucket("bucket")
                await store.create(_bucket("eve"))
                assert await _all(store) == Listing((), (), None)

        async def test_no_bucket(self) -> None:
            """What is asked of a bucket that is not there says so."""
            async with opened() as (store, client):
                for content in (b"small", LARGE):
                    await _refused(BucketNotFound, client.put(store, "other", "key", content))
                await _refused(BucketNotFound, store.look("other", "key"))
                await _refused(BucketNotFound, store.remove("other", "key"))
                await _refused(BucketNotFound, store.listing("other", "", "", "", 10))
                await _refused(BucketNotFound, store.change("other", "key", lambda now: now))
                await _refused(BucketNotFound, deferToThread(store.read, "other", "key"))

        # Objects.

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
                    "x-amz-checksum-sha256": _sha256(content),
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
                assert facts.checksums == {"sha256": _sha256(content)}
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
                await _refused(KeyNotFound, deferToThread(store.read, "bucket", "nothing"))

        @pytest.mark.parametrize("key", KEYS)
        async def test_keys(self, key: str) -> None:
            """A key of any text is one object, is listed so, and leaves nothing when it goes."""
            async with opened() as (store, client):
                await client.put(store, "bucket", key, b"content")
                assert await client.get(store, "bucket", key) == b"content"
                assert [each for each, _ in (await _all(store)).objects] == [key]
                await store.remove("bucket", key)
                await _refused(KeyNotFound, store.look("bucket", key))
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
                left = {key for key, _ in (await _all(store)).objects}
                assert left == {*alike} - {"a"}

        async def test_long_key(self) -> None:
            """A key has at most 1024 bytes."""
            async with opened() as (store, client):
                await _refused(KeyTooLong, client.put(store, "bucket", "ü" * 513, b"content"))
                await _refused(KeyTooLong, client.put(store, "bucket", "ü" * 513, LARGE))
                await _refused(KeyTooLong, store.look("bucket", "ü" * 513))

        async def test_replaced(self) -> None:
            """The last of several is there, and nothing of those before."""
            async with opened() as (store, client):
                for content, said in ((LARGE, {"x-amz-meta-a": "1"}), (b"new", {}), (LARGE, {})):
                    await client.put(store, "bucket", "key", content, said=said, tags={"a": "b"})
                    await client.put(store, "bucket", "key", content)
                    assert await client.get(store, "bucket", "key") == content
                [(_, facts)] = (await _all(store)).objects
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
                await _refused(BadDigest, lying)
                await _refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old")
                said = {"x-amz-checksum-sha256": _sha256(b"another")}
                lying = client.put(store, "bucket", "key", content, said=said)
                await _refused(BadDigest, lying)
                assert await client.get(store, "bucket", "key") == b"old"

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_broken_off(self, content: bytes) -> None:
            """A client that goes away before the last byte leaves what was there."""
            async with opened() as (store, client):
                await _refused(ConnectionLost, client.break_off(store, "bucket", "key", content))
                await _refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old")
                await _refused(ConnectionLost, client.break_off(store, "bucket", "key", content))
                assert await client.get(store, "bucket", "key") == b"old"
                await store.remove("bucket", "key")
                await store.remove_bucket("bucket")

        async def test_removed(self) -> None:
            """Removing what is not there is nothing."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", b"content")
                for _ in range(2):
                    await store.remove("bucket", "key")
                    await _refused(KeyNotFound, store.look("bucket", "key"))
                    changed = store.change("bucket", "key", lambda now: now)
                    await _refused(KeyNotFound, changed)
                    assert await _all(store) == Listing((), (), None)

        # Conditions.

        @pytest.mark.parametrize("content", [b"new", LARGE], ids=["small", "large"])
        async def test_condition(self, content: bytes) -> None:
            """A condition sees what is there, or that nothing is, and may prevent the change."""
            async with opened() as (store, client):
                seen: list[Facts | None] = []

                def refuse(now: Facts | None) -> None:
                    seen.append(now)
                    raise PreconditionFailed("no")

                put = client.put(store, "bucket", "key", content, condition=refuse)
                await _refused(PreconditionFailed, put)
                await _refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old", grants=GRANTS)
                put = client.put(store, "bucket", "key", content, condition=refuse)
                await _refused(PreconditionFailed, put)
                await _refused(PreconditionFailed, store.remove("bucket", "key", refuse))
                assert await client.get(store, "bucket", "key") == b"old"
                assert [each and each.etag for each in seen] == [
                    None,
                    *[hashlib.md5(b"old").hexdigest()] * 2,
                ]
                await client.put(store, "bucket", "key", content, condition=lambda now: None)
                assert await client.get(store, "bucket", "key") == content
                await store.remove("bucket", "key", lambda now: None)
                await _refused(KeyNotFound, store.look("bucket", "key"))

        async def test_one_wins(self) -> None:
            """Of many who put if nothing is there, one does."""
            from twisted.internet import reactor

            async with opened() as (store, client):
                contents = [b"%d" % number for number in range(6)] + [LARGE, LARGE[1:]]
                others = [exchange(reactor) for _ in contents]
                clients = [await each.__aenter__() for each in others]
                try:
                    results = await gatherResults(
                        [
                            _outcome(each.put(store, "bucket", "key", content, condition=_absent))
                            for each, content in zip(clients, contents, strict=True)
                        ]
                    )
                finally:
                    for each in others:
                        await each.__aexit__(None, None, None)
                won = [n for n, each in enumerate(results) if isinstance(each, Facts)]
                assert len(won) == 1
                assert {type(each) for each in results} == {Facts, PreconditionFailed}
                assert await client.get(store, "bucket", "key") == contents[won[0]]

        # Changes.

        @pytest.mark.parametrize("content", [b"content", LARGE], ids=["small", "large"])
        async def test_changed(self, content: bytes) -> None:
            """Grants and tags are changed, all else stays: also in lists."""
            async with opened() as (store, client):
                said = {"content-type": "text/plain", "x-amz-meta-a": "b"}
                await client.put(store, "bucket", "key", content, said=said, owner="eve")
                with closing(await store.look("bucket", "key")) as found:
                    before = found.facts
                for tags in ({"a": "ü"}, {f"key{n}": "v" * 256 for n in range(10)}, {}):
                    changed = await store.change(
                        "bucket",
                        "key",
                        lambda now, tags=tags: replace(now, grants=GRANTS, tags=tags),
                    )
                    assert changed == replace(before, grants=GRANTS, tags=tags)
                    with closing(await store.look("bucket", "key")) as found:
                        assert found.facts == changed
                        assert await client.take(found) == content
                    [(_, listed)] = (await _all(store)).objects
                    assert (listed.size, listed.etag) == (before.size, before.etag)
                    assert int(listed.modified) == int(before.modified)

        async def test_changes_go(self) -> None:
            """What was changed of an object goes when it is replaced, or removed."""
            async with opened() as (store, client):
                for again in (b"content", b"content", b"other"):
                    await client.put(store, "bucket", "key", again)
                    with closing(await store.look("bucket", "key")) as found:
                        assert (found.facts.grants, found.facts.tags) == ((), {})
                    await store.change(
                        "bucket", "key", lambda now: replace(now, grants=GRANTS, tags={"a": "b"})
                    )
                await store.remove("bucket", "key")
                await client.put(store, "bucket", "key", b"content")
                with closing(await store.look("bucket", "key")) as found:
                    assert (found.facts.grants, found.facts.tags) == ((), {})

        # Listings.

        async def test_pages(self) -> None:
            """Pages of any length show the keys of a prefix once, in the order of their bytes."""
            async with opened() as (store, client):
                for key in SORTED:
                    await client.put(store, "bucket", key, b"")
                for prefix in ("", "a", "a/", "p" * 64, "p" * 70, "q"):
                    expected = sorted((k for k in SORTED if k.startswith(prefix)), key=str.encode)
                    for limit in (1, 2, 3, 1000):
                        found = await _all(store, prefix, limit=limit)
                        assert [key for key, _ in found.objects] == expected

        async def test_delimiter(self) -> None:
            """Keys that go on after a delimiter are shown once, as what they have in common."""
            async with opened() as (store, client):
                for key in (*SORTED, "a/2/y", "c/1", "c/2", "d"):
                    await client.put(store, "bucket", key, b"")
                for limit in (1, 2, 1000):
                    found = await _all(store, "", "/", limit)
                    assert found.prefixes == ("a/", "c/")
                    assert [k for k, _ in found.objects][:4] == ["B", "a", "b", "d"]
                    found = await _all(store, "a/", "/", limit)
                    assert found.prefixes == ("a/2/",)
                    assert [key for key, _ in found.objects] == ["a/1", "a/2"]

        async def test_facts_listed(self) -> None:
            """A list tells size, ETag and time of each object as a look at it does."""
            async with opened() as (store, client):
                for key, content in (("a", b""), ("b", b"content"), ("c", LARGE)):
                    await client.put(store, "bucket", key, content)
                for key, listed in (await _all(store)).objects:
                    with closing(await store.look("bucket", key)) as found:
                        facts = found.facts
                    assert (listed.size, listed.etag) == (facts.size, facts.etag)
                    assert int(listed.modified) == int(facts.modified)

        async def test_page_of_none(self) -> None:
            """A page of no keys says that there are no more, as S3 does."""
            async with opened() as (store, client):
                await client.put(store, "bucket", "key", b"")
                page = await store.listing("bucket", "", "", "", 0)
                assert (page.objects, page.prefixes, page.last) == ((), (), None)

    return StoreTests


def _sha256(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _outcome(asked: Awaitable[Any]) -> Deferred[Any]:
    """What came of it: the result, or the error."""

    async def wait() -> Any:
        try:
            return await asked
        except Exception as error:
            return error

    return Deferred.fromCoroutine(wait())
