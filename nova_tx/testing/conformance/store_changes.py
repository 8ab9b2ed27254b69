"""What every store promises of conditions, and of what is changed of objects."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace

import pytest
from twisted.internet.defer import gatherResults

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import (
    PreconditionFailed,
)
from nova_tx.testing.conformance.store_bench import (
    GRANTS,
    LARGE,
    Opened,
    absent,
    every_page,
    outcome,
    refused,
)
from nova_tx.testing.exchange import exchange


def make_change_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class ChangeTests:
        @pytest.mark.parametrize("content", [b"new", LARGE], ids=["small", "large"])
        async def test_condition(self, content: bytes) -> None:
            """A condition sees what is there, or that nothing is, and may prevent the change."""
            async with opened() as (store, client):
                seen: list[Facts | None] = []

                def refuse(now: Facts | None) -> None:
                    seen.append(now)
                    raise PreconditionFailed("no")

                put = client.put(store, "bucket", "key", content, condition=refuse)
                await refused(PreconditionFailed, put)
                await refused(KeyNotFound, store.look("bucket", "key"))
                await client.put(store, "bucket", "key", b"old", grants=GRANTS)
                put = client.put(store, "bucket", "key", content, condition=refuse)
                await refused(PreconditionFailed, put)
                await refused(PreconditionFailed, store.remove("bucket", "key", refuse))
                assert await client.get(store, "bucket", "key") == b"old"
                assert [each and each.etag for each in seen] == [
                    None,
                    *[hashlib.md5(b"old").hexdigest()] * 2,
                ]
                await client.put(store, "bucket", "key", content, condition=lambda now: None)
                assert await client.get(store, "bucket", "key") == content
                await store.remove("bucket", "key", lambda now: None)
                await refused(KeyNotFound, store.look("bucket", "key"))

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
                            outcome(each.put(store, "bucket", "key", content, condition=absent))
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
                    [(_, listed)] = (await every_page(store)).objects
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

    return ChangeTests
