"""What every implementation of IStore promises."""

from __future__ import annotations

from contextlib import closing

from zope.interface.verify import verifyObject

from nova_tx.objectstore.interfaces import IFound, IStore
from nova_tx.testing.conformance.store_bench import World, with_bucket
from nova_tx.testing.conformance.store_buckets import make_bucket_tests
from nova_tx.testing.conformance.store_changes import make_change_tests
from nova_tx.testing.conformance.store_copies import make_copy_tests
from nova_tx.testing.conformance.store_listings import make_listing_tests
from nova_tx.testing.conformance.store_objects import make_object_tests
from nova_tx.testing.conformance.store_uploads import make_upload_tests


def make_store_tests(factory: World) -> type:
    """
    The suite as a class to inherit from: all of what is promised, noun by noun.

    @param factory: see L{World}.
    """
    opened = with_bucket(factory)
    nouns = (
        make_bucket_tests,
        make_object_tests,
        make_change_tests,
        make_listing_tests,
        make_copy_tests,
        make_upload_tests,
    )

    class StoreTests(*(make(opened) for make in nouns)):  # type: ignore[misc]
        async def test_interface(self) -> None:
            """It has the methods of IStore and IFound, with their parameters."""
            async with opened() as (store, client):
                assert verifyObject(IStore, store)
                await client.put(store, "bucket", "key", b"content")
                with closing(await store.look("bucket", "key")) as found:
                    assert verifyObject(IFound, found)

    return StoreTests
