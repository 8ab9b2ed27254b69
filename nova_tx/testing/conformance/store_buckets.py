"""What every store promises of buckets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread

from nova_tx.errors import BucketNotFound
from nova_tx.objectstore.facts import Bucket, Listing
from nova_tx.objectstore.faults import (
    BucketAlreadyExists,
    BucketNotEmpty,
    InvalidBucketName,
)
from nova_tx.testing.conformance.store_bench import (
    GRANTS,
    LARGE,
    Opened,
    every_page,
    joes_bucket,
    outcome,
    refused,
)


def make_bucket_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class BucketTests:
        async def test_bucket(self) -> None:
            """A bucket is its maker's until it is removed, and then anybody's."""
            async with opened() as (store, _):
                first = await store.bucket("bucket")
                assert (first.name, first.owner, first.created) == ("bucket", "joe", 1000.0)
                again = replace(joes_bucket(), created=2000.0)
                assert await store.create(again) == first
                await refused(BucketAlreadyExists, store.create(joes_bucket("eve")))
                assert await store.buckets() == (first,)
                assert store.known("bucket") in (first, None)
                await store.remove_bucket("bucket")
                assert await store.buckets() == ()
                assert store.known("bucket") is None
                await refused(BucketNotFound, store.bucket("bucket"))
                await refused(BucketNotFound, store.remove_bucket("bucket"))
                assert (await store.create(joes_bucket("eve"))).owner == "eve"

        async def test_buckets_in_order(self) -> None:
            """All buckets are listed, by name."""
            async with opened() as (store, _):
                for name in ("zoo", "apes", "bucket-1"):
                    await store.create(replace(joes_bucket("eve"), name=name))
                names = [each.name for each in await store.buckets()]
                assert names == ["apes", "bucket", "bucket-1", "zoo"]

        @pytest.mark.parametrize("name", ["", ".", "..", ".new", "a/b", "_images", "ü", "a\n"])
        async def test_bucket_names(self, name: str) -> None:
            """A name that could be something else is no bucket's."""
            async with opened() as (store, _):
                await refused(InvalidBucketName, store.create(replace(joes_bucket(), name=name)))
                await refused(InvalidBucketName, store.bucket(name))

        async def test_bucket_of_others(self) -> None:
            """Of many who make the same bucket at once, one gets it."""
            async with opened() as (store, _):
                asked = [store.create(Bucket("new", f"u{n}", 1.0)) for n in range(8)]
                results = await gatherResults([outcome(each) for each in asked])
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
                await refused(BucketNotFound, store.change_bucket("other", change))

        async def test_bucket_with_objects(self) -> None:
            """A bucket with an object can't be removed; once it is empty, it can, and stays so."""
            async with opened() as (store, client):
                for key in ("key", "k" * 200):
                    await client.put(store, "bucket", key, b"content")
                    await store.change("bucket", key, lambda now: replace(now, tags={"a": "b"}))
                    await refused(BucketNotEmpty, store.remove_bucket("bucket"))
                    assert await client.get(store, "bucket", key) == b"content"
                    await store.remove("bucket", key)
                await store.remove_bucket("bucket")
                await store.create(joes_bucket("eve"))
                assert await every_page(store) == Listing((), (), None)

        async def test_no_bucket(self) -> None:
            """What is asked of a bucket that is not there says so."""
            async with opened() as (store, client):
                for content in (b"small", LARGE):
                    await refused(BucketNotFound, client.put(store, "other", "key", content))
                await refused(BucketNotFound, store.look("other", "key"))
                await refused(BucketNotFound, store.remove("other", "key"))
                await refused(BucketNotFound, store.listing("other", "", "", "", 10))
                await refused(BucketNotFound, store.change("other", "key", lambda now: now))
                await refused(BucketNotFound, deferToThread(store.read, "other", "key"))

    return BucketTests
