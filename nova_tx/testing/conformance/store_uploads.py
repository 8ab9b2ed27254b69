"""What every store promises of objects that come in parts."""

from __future__ import annotations

import base64
import hashlib
import os
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import gatherResults

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import (
    BadDigest,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    KeyTooLong,
    NoSuchUpload,
    PreconditionFailed,
)
from nova_tx.objectstore.uploads import (
    SMALLEST_PART,
    Chosen,
    Completion,
    Part,
    Parts,
    Upload,
    Uploads,
)
from nova_tx.testing.conformance.store_bench import (
    GRANTS,
    LARGE,
    Opened,
    absent,
    every_page,
    outcome,
    refused,
    sha256,
)
from nova_tx.testing.exchange import exchange

#: Of two parts that are not the last one.
FIRST, SECOND = (os.urandom(SMALLEST_PART + n) for n in (0, 1))
LAST = b"the end"
#: Ids that none is, and that would like to be something else.
NO_IDS = ("", ".", "..", "../../objects", "x" * 32, "0" * 32, "A" * 32, "ü", "a/b")


def _upload(key: str = "key") -> Upload:
    headers = {"content-type": "text/plain", "x-amz-meta-name": "grün"}
    return Upload(key, 1000.5, headers, owner="eve", grants=GRANTS, tags={"a": "ü"})


def _of(*parts: Part, **believed: Any) -> Completion:
    chosen = tuple(Chosen(part.number, part.etag, part.checksums) for part in parts)
    return Completion(chosen, **believed)


def _etag(*contents: bytes) -> str:
    digests = b"".join(hashlib.md5(each).digest() for each in contents)
    return f"{hashlib.md5(digests).hexdigest()}-{len(contents)}"


async def _complete(store: Any, upload: Upload, *parts: Part, **more: Any) -> Facts:
    found: Facts = await store.complete("bucket", upload.key, upload.id, _of(*parts), **more)
    return found


async def _parts(store: Any, upload: Upload, limit: int = 1000) -> list[Part]:
    """Every page of an upload's parts."""
    found: list[Part] = []
    after: int | None = 0
    while after is not None:
        page: Parts = await store.parts("bucket", upload.key, upload.id, after, limit)
        assert page.upload == upload and len(page.parts) <= limit
        found += page.parts
        after = page.last
    return found


async def _uploads(store: Any, prefix: str = "", delimiter: str = "", limit: int = 1000) -> Uploads:
    """Every page of the uploads of a bucket as one."""
    found: list[Upload] = []
    prefixes: list[str] = []
    after: tuple[str, str] | None = ("", "")
    while after is not None:
        page: Uploads = await store.uploads("bucket", prefix, after, delimiter, limit)
        assert len(page.uploads) + len(page.prefixes) <= limit
        found += page.uploads
        prefixes += page.prefixes
        after = page.last
    return Uploads(tuple(found), tuple(prefixes), None)


def make_upload_tests(opened: Opened) -> type:
    """The suite as a class to inherit from."""

    class UploadTests:
        async def test_upload(self) -> None:
            """Parts that came in any order are the object, with what was known at the beginning."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                assert upload == replace(_upload(), id=upload.id) and upload.id
                contents = {9: LAST, 1: FIRST, 5: SECOND}
                parts = {n: await client.put_part(store, upload, n, contents[n]) for n in contents}
                for number, part in parts.items():
                    assert (part.number, part.size) == (number, len(contents[number]))
                    assert part.etag == hashlib.md5(contents[number]).hexdigest()
                await refused(KeyNotFound, store.look("bucket", "key"))
                made = await _complete(store, upload, parts[1], parts[5], parts[9])
                whole = FIRST + SECOND + LAST
                with closing(await store.look("bucket", "key")) as found:
                    facts = found.facts
                    assert await client.take(found) == whole
                    for first, count in (
                        (0, 1),
                        (len(FIRST) - 3, 6),
                        (len(FIRST) + 1, len(SECOND)),
                    ):
                        taken = await client.take(found, first, count)
                        assert taken == whole[first : first + count]
                assert facts == replace(made, modified=facts.modified)
                assert abs(facts.modified - made.modified) < 120
                assert (facts.size, facts.etag) == (len(whole), _etag(FIRST, SECOND, LAST))
                assert facts.parts == (len(FIRST), len(SECOND), len(LAST))
                assert (facts.headers, facts.owner) == (_upload().headers, "eve")
                assert (facts.grants, facts.tags) == (GRANTS, {"a": "ü"})
                [(_, listed)] = (await every_page(store)).objects
                assert (listed.size, listed.etag) == (facts.size, facts.etag)

        async def test_one_small_part(self) -> None:
            """An object may be one part of any size, and has an ETag that says so."""
            async with opened() as (store, client):
                for content in (b"", LAST, LARGE):
                    upload = await store.begin_upload("bucket", _upload())
                    part = await client.put_part(store, upload, 7, content)
                    made = await _complete(store, upload, part)
                    assert (made.etag, made.parts) == (_etag(content), (len(content),))
                    assert await client.get(store, "bucket", "key") == content

        async def test_some_of_the_parts(self) -> None:
            """An object is made of the parts that are named; of the others nothing is left."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                parts = [
                    await client.put_part(store, upload, number, content)
                    for number, content in ((1, LAST), (2, FIRST), (3, LARGE), (4, LAST))
                ]
                assert (await _complete(store, upload, parts[1], parts[3])).parts == (
                    len(FIRST),
                    len(LAST),
                )
                assert await client.get(store, "bucket", "key") == FIRST + LAST
                await refused(NoSuchUpload, store.parts("bucket", "key", upload.id, 0, 9))
                assert await _uploads(store) == Uploads((), (), None)
                await store.remove("bucket", "key")
                await store.remove_bucket("bucket")

        async def test_part_again(self) -> None:
            """The last part of a number counts, and one that was not right changes nothing."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                old = await client.put_part(store, upload, 1, LARGE)
                new = await client.put_part(store, upload, 1, LAST)
                assert [each.etag for each in await _parts(store, upload)] == [new.etag]
                for content in (b"lie", LARGE):
                    said = {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}
                    lie = client.put_part(store, upload, 1, content, said)
                    await refused(BadDigest, lie)
                assert [each.etag for each in await _parts(store, upload)] == [new.etag]
                await refused(InvalidPart, _complete(store, upload, old))
                await _complete(store, upload, new)
                assert await client.get(store, "bucket", "key") == LAST

        async def test_parts_listed(self) -> None:
            """Pages of any length show each part once, by number, as it was acknowledged."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                assert await _parts(store, upload) == []
                made = {
                    n: await client.put_part(store, upload, n, b"%d" % n) for n in (10000, 2, 1, 10)
                }
                expected = [(n, made[n].size, made[n].etag) for n in sorted(made)]
                for limit in (1, 2, 3, 1000):
                    found = await _parts(store, upload, limit)
                    assert [(each.number, each.size, each.etag) for each in found] == expected
                    assert all(abs(each.modified - made[1].modified) < 120 for each in found)
                page = await store.parts("bucket", "key", upload.id, 2, 0)
                assert (page.upload, page.parts, page.last) == (upload, (), None)

        async def test_checksums(self) -> None:
            """Checksums of parts are kept, needed if they were announced, and make the object's."""
            async with opened() as (store, client):
                wanted = replace(_upload(), algorithm="sha256", checksum_type="COMPOSITE")
                upload = await store.begin_upload("bucket", wanted)
                await refused(InvalidRequest, client.put_part(store, upload, 1, FIRST))
                parts = [
                    await client.put_part(
                        store, upload, n, content, {"x-amz-checksum-sha256": sha256(content)}
                    )
                    for n, content in ((1, FIRST), (2, LAST))
                ]
                assert [each.checksums for each in await _parts(store, upload)] == [
                    {"sha256": sha256(FIRST)},
                    {"sha256": sha256(LAST)},
                ]
                wrong = _of(*parts, checksums={"sha256": sha256(b"another") + "-2"})
                completing = store.complete("bucket", "key", upload.id, wrong)
                await refused(BadDigest, completing)
                await _complete(store, upload, *parts)
                with closing(await store.look("bucket", "key")) as found:
                    facts = found.facts
                both = hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()
                value = base64.b64encode(hashlib.sha256(both).digest()).decode()
                assert facts.checksums == {"sha256": f"{value}-2"}
                assert facts.checksum_type == "COMPOSITE"

        async def test_cannot_be_completed(self) -> None:
            """What can't be an object is refused by S3's names, and the upload goes on."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                small = await client.put_part(store, upload, 1, LAST)
                last = await client.put_part(store, upload, 2, LAST)
                for error, completion in (
                    (EntityTooSmall, _of(small, last)),
                    (InvalidPartOrder, _of(last, small)),
                    (InvalidPart, _of(small, replace(last, number=3))),
                    (InvalidPart, _of(replace(small, etag="0" * 32))),
                    (InvalidRequest, _of(small, size=1)),
                ):
                    completing = store.complete("bucket", "key", upload.id, completion)
                    await refused(error, completing)
                await refused(KeyNotFound, store.look("bucket", "key"))
                await _complete(store, upload, last)
                assert await client.get(store, "bucket", "key") == LAST

        async def test_completed_twice(self) -> None:
            """Completing once more what is the object answers the same, and else nothing."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                part = await client.put_part(store, upload, 1, LARGE)
                made = await _complete(store, upload, part)
                assert await _complete(store, upload, part) == made
                await refused(NoSuchUpload, store.abort("bucket", "key", upload.id))
                await client.put(store, "bucket", "key", LAST)
                await refused(NoSuchUpload, _complete(store, upload, part))
                assert await client.get(store, "bucket", "key") == LAST
                await store.remove("bucket", "key")
                await refused(NoSuchUpload, _complete(store, upload, part))

        async def test_completed_at_once(self) -> None:
            """Of several who complete at once none is told what is not so."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                parts = [
                    await client.put_part(store, upload, n, content)
                    for n, content in ((1, FIRST), (2, LAST))
                ]
                asked = [_complete(store, upload, *parts) for _ in range(4)]
                made = await gatherResults([outcome(each) for each in asked])
                assert {each.etag for each in made} == {_etag(FIRST, LAST)}
                assert await client.get(store, "bucket", "key") == FIRST + LAST

        async def test_uploads_of_one_key(self) -> None:
            """Uploads of one key know nothing of each other; who completes last has the object."""
            async with opened() as (store, client):
                uploads = [await store.begin_upload("bucket", _upload()) for _ in range(3)]
                assert len({each.id for each in uploads}) == 3
                parts = [
                    await client.put_part(store, each, 1, content)
                    for each, content in zip(uploads, (LARGE, LAST, FIRST), strict=True)
                ]
                await _complete(store, uploads[1], parts[1])
                await _complete(store, uploads[0], parts[0])
                assert await client.get(store, "bucket", "key") == LARGE
                assert [each.etag for each in await _parts(store, uploads[2])] == [parts[2].etag]

        async def test_parts_at_once(self) -> None:
            """Parts may come over many connections at once, also of one number."""
            from twisted.internet import reactor

            async with opened() as (store, _):
                upload = await store.begin_upload("bucket", _upload())
                sent = [(number, b"%d" % n * 70000) for n, number in enumerate((1, 2, 3, 3, 3))]
                others = [exchange(reactor) for _ in sent]
                clients = [await each.__aenter__() for each in others]
                try:
                    parts = await gatherResults(
                        [
                            outcome(each.put_part(store, upload, number, content))
                            for each, (number, content) in zip(clients, sent, strict=True)
                        ]
                    )
                finally:
                    for each in others:
                        await each.__aexit__(None, None, None)
                one, two, three = await _parts(store, upload)
                assert (one.etag, two.etag) == (parts[0].etag, parts[1].etag)
                assert three.etag in {each.etag for each in parts[2:]}

        async def test_condition_of_upload(self) -> None:
            """A condition that does not hold when it is completed leaves upload and object."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                part = await client.put_part(store, upload, 1, LARGE)
                await client.put(store, "bucket", "key", LAST)
                completing = _complete(store, upload, part, condition=absent)
                await refused(PreconditionFailed, completing)
                assert await client.get(store, "bucket", "key") == LAST
                await store.remove("bucket", "key")
                await _complete(store, upload, part, condition=absent)
                assert await client.get(store, "bucket", "key") == LARGE

        async def test_abort(self) -> None:
            """Of an upload that was given up nothing is left, and nothing more can come."""
            async with opened() as (store, client):
                upload = await store.begin_upload("bucket", _upload())
                part = await client.put_part(store, upload, 1, LARGE)
                await store.abort("bucket", "key", upload.id)
                assert await _uploads(store) == Uploads((), (), None)
                for asked in (
                    store.abort("bucket", "key", upload.id),
                    store.parts("bucket", "key", upload.id, 0, 9),
                    client.put_part(store, upload, 1, LAST),
                    client.put_part(store, upload, 1, LARGE),
                    _complete(store, upload, part),
                ):
                    await refused(NoSuchUpload, asked)
                await refused(KeyNotFound, store.look("bucket", "key"))

        @pytest.mark.parametrize("upload_id", NO_IDS)
        async def test_no_upload(self, upload_id: str) -> None:
            """What is no id of an upload of the key is none, whatever it would be as a path."""
            async with opened() as (store, client):
                there = await store.begin_upload("bucket", _upload())
                for upload in (replace(there, id=upload_id), replace(there, key="other")):
                    for asked in (
                        store.parts("bucket", upload.key, upload.id, 0, 1),
                        store.abort("bucket", upload.key, upload.id),
                        client.put_part(store, upload, 1, b"content"),
                        store.complete("bucket", upload.key, upload.id, Completion(())),
                    ):
                        await refused(NoSuchUpload, asked)

        async def test_uploads_listed(self) -> None:
            """Pages of any length show each upload once: by key, and those of a key in order."""
            async with opened() as (store, client):
                keys = ("b", "a", "a/1", "a/2", "a/2", "ü", "a", "k" * 900, "%2F")
                made = [await store.begin_upload("bucket", _upload(key)) for key in keys]
                await client.put(store, "bucket", "a/3", b"no upload")
                expected = sorted(made, key=lambda each: (each.key.encode(), each.id))
                assert [each.id for each in expected if each.key == "a/2"] == [
                    each.id for each in made if each.key == "a/2"
                ]
                for limit in (1, 2, 1000):
                    assert list((await _uploads(store, limit=limit)).uploads) == expected
                    found = await _uploads(store, "a", limit=limit)
                    assert list(found.uploads) == [e for e in expected if e.key.startswith("a")]
                    found = await _uploads(store, "", "/", limit)
                    assert found.prefixes == ("a/",)
                    assert list(found.uploads) == [e for e in expected if "/" not in e.key]
                page = await store.uploads("bucket", "", ("a", ""), "", 1000)
                assert list(page.uploads) == [e for e in expected if e.key.encode() > b"a"]
                page = await store.uploads("bucket", "", ("", ""), "", 0)
                assert (page.uploads, page.prefixes, page.last) == ((), (), None)

        async def test_bucket_of_uploads(self) -> None:
            """Uploads need a bucket, keep none from being removed, and are gone with it."""
            async with opened() as (store, client):
                await refused(BucketNotFound, store.begin_upload("nothing", _upload()))
                await refused(KeyTooLong, store.begin_upload("bucket", _upload("ü" * 513)))
                await refused(BucketNotFound, store.uploads("nothing", "", ("", ""), "", 9))
                upload = await store.begin_upload("bucket", _upload())
                await client.put_part(store, upload, 1, LARGE)
                bucket = await store.bucket("bucket")
                await store.remove_bucket("bucket")
                await store.create(bucket)
                assert await _uploads(store) == Uploads((), (), None)
                await refused(NoSuchUpload, store.parts("bucket", "key", upload.id, 0, 9))

    return UploadTests
