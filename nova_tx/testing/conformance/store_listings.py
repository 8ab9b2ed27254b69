"""What every store promises of lists of keys."""

from __future__ import annotations

from contextlib import closing

from nova_tx.testing.conformance.store_bench import (
    LARGE,
    Opened,
    every_page,
)

SORTED = ("B", "a", "a/1", "a/2", "a/2/x", "b", "p" * 63, "p" * 64, "p" * 65, "p" * 200, "ü", "日")


def make_listing_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class ListingTests:
        async def test_pages(self) -> None:
            """Pages of any length show the keys of a prefix once, in the order of their bytes."""
            async with opened() as (store, client):
                for key in SORTED:
                    await client.put(store, "bucket", key, b"")
                for prefix in ("", "a", "a/", "p" * 64, "p" * 70, "q"):
                    expected = sorted((k for k in SORTED if k.startswith(prefix)), key=str.encode)
                    for limit in (1, 2, 3, 1000):
                        found = await every_page(store, prefix, limit=limit)
                        assert [key for key, _ in found.objects] == expected

        async def test_delimiter(self) -> None:
            """Keys that go on after a delimiter are shown once, as what they have in common."""
            async with opened() as (store, client):
                for key in (*SORTED, "a/2/y", "c/1", "c/2", "d"):
                    await client.put(store, "bucket", key, b"")
                for limit in (1, 2, 1000):
                    found = await every_page(store, "", "/", limit)
                    assert found.prefixes == ("a/", "c/")
                    assert [k for k, _ in found.objects][:4] == ["B", "a", "b", "d"]
                    found = await every_page(store, "a/", "/", limit)
                    assert found.prefixes == ("a/2/",)
                    assert [key for key, _ in found.objects] == ["a/1", "a/2"]

        async def test_begun_among_those_shown_as_one(self) -> None:
            """A page that begins after a key shows what comes after it, be it shown as one."""
            async with opened() as (store, client):
                for key in ("k/1/x", "l/1/x", "l/1/y", "l/2/z", "l/3", "l/4/z"):
                    await client.put(store, "bucket", key, b"")
                for after, one in (
                    *(("", ("l/1/", "l/2/", "l/4/")), ("l/1", ("l/1/", "l/2/", "l/4/"))),
                    *(("l/1/a", ("l/1/", "l/2/", "l/4/")), ("l/1/x", ("l/1/", "l/2/", "l/4/"))),
                    *(("l/1/y", ("l/2/", "l/4/")), ("l/1/", ("l/2/", "l/4/"))),
                    *(("k/1/a", ("l/1/", "l/2/", "l/4/")), ("l/4/zz", ()), ("m/1/a", ())),
                ):
                    page = await store.listing("bucket", "l/", after, "/", 10)
                    assert page.prefixes == one, after
                    assert [k for k, _ in page.objects] == ["l/3"] * (after < "l/3")
                    if len(one) > 1:
                        first = await store.listing("bucket", "l/", after, "/", 1)
                        assert (first.prefixes, first.last) == (one[:1], one[0])

        async def test_facts_listed(self) -> None:
            """A list tells size, ETag and time of each object as a look at it does."""
            async with opened() as (store, client):
                for key, content in (("a", b""), ("b", b"content"), ("c", LARGE)):
                    await client.put(store, "bucket", key, content)
                for key, listed in (await every_page(store)).objects:
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

    return ListingTests
