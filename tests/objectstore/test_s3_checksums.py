"""Checksums at the objectstore's door."""

from __future__ import annotations

import base64

import pytest

from nova_tx.objectstore.digests import ALGORITHMS, new_digest
from nova_tx.testing.asking import Asker, in_chunks, md5_of

CONTENT = bytes(range(256)) * 300


def value(algorithm: str, content: bytes = CONTENT) -> str:
    """A digest as headers have it."""
    found = new_digest(algorithm)
    found.update(content)
    return base64.b64encode(found.digest()).decode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("trailing", [False, True])
async def test_checksum(door: Asker, algorithm: str, trailing: bool) -> None:
    """A checksum is checked, answered, and told by GET, HEAD and the attributes if asked for."""
    name = f"x-amz-checksum-{algorithm}"
    told = {name: value(algorithm), "x-amz-checksum-type": "FULL_OBJECT"}
    if trailing:
        body, headers = in_chunks(CONTENT, f"{name}:{value(algorithm)}")
    else:
        body, headers = CONTENT, {name: value(algorithm)}
    put = await door.ask("PUT", "/bucket/key", body, **headers)
    assert (put.status, told.items() <= put.headers.items()) == (200, True)
    for method, content in (("GET", CONTENT), ("HEAD", b"")):
        answer = await door.ask(method, "/bucket/key", x_amz_checksum_mode="ENABLED")
        assert (answer.body, told.items() <= answer.headers.items()) == (content, True)
        silent = await door.ask(method, "/bucket/key")
        assert name not in silent.headers
        part = await door.ask(
            method, "/bucket/key", range="bytes=0-1", x_amz_checksum_mode="ENABLED"
        )
        assert (part.status, name in part.headers) == (206, False)
    known = await door.ask("GET", "/bucket/key?attributes", x_amz_object_attributes="Checksum")
    assert known.texts(f"Checksum/Checksum{algorithm.upper()}") == [value(algorithm)]
    assert known.texts("Checksum/ChecksumType") == ["FULL_OBJECT"]
    listed = await door.ask("GET", "/bucket")
    assert listed.texts("Contents/ChecksumAlgorithm") == [algorithm.upper()]


@pytest.mark.parametrize("trailing", [False, True])
async def test_wrong(door: Asker, trailing: bool) -> None:
    """What is not as announced is refused, and leaves nothing."""
    name, wrong = "x-amz-checksum-crc64nvme", value("crc64nvme", b"other")
    if trailing:
        body, headers = in_chunks(CONTENT, f"{name}:{wrong}")
    else:
        body, headers = CONTENT, {name: wrong}
    put = await door.ask("PUT", "/bucket/key", body, **headers)
    assert put.code == (400, "BadDigest")
    assert (await door.ask("GET", "/bucket/key")).code == (404, "NoSuchKey")


async def test_two(door: Asker) -> None:
    """Two checksums are one too many."""
    put = await door.ask(
        "PUT",
        "/bucket/key",
        CONTENT,
        x_amz_checksum_crc32=value("crc32"),
        x_amz_checksum_sha1=value("sha1"),
    )
    assert put.code == (400, "InvalidRequest")


async def test_attributes(door: Asker) -> None:
    """What is asked for is told of an object, and nothing else; other names are refused."""
    await door.ask("PUT", "/bucket/key", CONTENT)
    ask = "/bucket/key?attributes"
    answer = await door.ask("GET", ask, x_amz_object_attributes="ETag,ObjectSize, StorageClass")
    assert answer.members == {
        "ETag": md5_of(CONTENT),
        "ObjectSize": str(len(CONTENT)),
        "StorageClass": "STANDARD",
    }
    assert "last-modified" in answer.headers
    for wrong in ("", "Colour", "ETag,Colour"):
        answer = await door.ask("GET", ask, x_amz_object_attributes=wrong)
        assert answer.code == (400, "InvalidArgument")
    answer = await door.ask("GET", "/bucket/nothing?attributes", x_amz_object_attributes="ETag")
    assert answer.code == (404, "NoSuchKey")
