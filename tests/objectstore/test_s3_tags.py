"""Tags of buckets and objects at the objectstore's door."""

from __future__ import annotations

import pytest

from nova_tx.testing.asking import Asker, Told


def document(**tags: str) -> bytes:
    """Tags as clients send them."""
    found = "".join(
        f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags.items()
    )
    return f"<Tagging><TagSet>{found}</TagSet></Tagging>".encode()


def tags(answer: Told) -> dict[str, str]:
    """Those of an answer."""
    return dict(zip(answer.texts(".//Key"), answer.texts(".//Value"), strict=True))


async def test_object(door: Asker) -> None:
    """Tags come with an object or later, are counted and told, replaced and removed."""
    await door.ask("PUT", "/bucket/key", b"1", x_amz_tagging="a=1&b=2")
    assert (await door.ask("GET", "/bucket/key")).headers["x-amz-tagging-count"] == "2"
    assert tags(await door.ask("GET", "/bucket/key?tagging")) == {"a": "1", "b": "2"}
    put = await door.ask("PUT", "/bucket/key?tagging", document(c="3"))
    assert (put.status, put.body) == (200, b"")
    assert tags(await door.ask("GET", "/bucket/key?tagging")) == {"c": "3"}
    assert (await door.ask("HEAD", "/bucket/key")).headers["x-amz-tagging-count"] == "1"
    assert (await door.ask("DELETE", "/bucket/key?tagging")).status == 204
    assert tags(await door.ask("GET", "/bucket/key?tagging")) == {}
    found = await door.ask("GET", "/bucket/key")
    assert (found.body, "x-amz-tagging-count" in found.headers) == (b"1", False)


async def test_replaced(door: Asker) -> None:
    """An object that is replaced has not the tags of the one before."""
    await door.ask("PUT", "/bucket/key", b"1")
    await door.ask("PUT", "/bucket/key?tagging", document(a="1"))
    await door.ask("PUT", "/bucket/key", b"2")
    assert tags(await door.ask("GET", "/bucket/key?tagging")) == {}


async def test_bucket(door: Asker) -> None:
    """A bucket's tags are told, replaced and removed; none is NoSuchTagSet."""
    none = await door.ask("GET", "/bucket?tagging")
    assert (none.code, none.members["BucketName"]) == ((404, "NoSuchTagSet"), "bucket")
    for given in ({"a": "1"}, {f"k{number}": "" for number in range(50)}):
        assert (await door.ask("PUT", "/bucket?tagging", document(**given))).status == 204
        assert tags(await door.ask("GET", "/bucket?tagging")) == given
    assert (await door.ask("DELETE", "/bucket?tagging")).status == 204
    assert (await door.ask("GET", "/bucket?tagging")).code == (404, "NoSuchTagSet")


@pytest.mark.parametrize("place", ["/bucket", "/bucket/key"])
async def test_refused(door: Asker, place: str) -> None:
    """What can't be tags is refused, and changes nothing; so does a stranger."""
    await door.ask("PUT", "/bucket/key", b"1")
    target = f"{place}?tagging"
    await door.ask("PUT", target, document(a="1"))
    for body, code in (
        (b"no XML", (400, "MalformedXML")),
        (b"", (400, "MalformedXML")),
        (b"<Tagging/>", (400, "MalformedXML")),
        (document(**{"aws:a": "1"}), (400, "InvalidTag")),
        (document(**{f"k{number}": "" for number in range(51)}), (400, "BadRequest")),
    ):
        assert (await door.ask("PUT", target, body)).code == code
    wrong = await door.ask("PUT", target, document(b="2"), content_md5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert wrong.code == (400, "BadDigest")
    for method, sent in (("GET", None), ("PUT", document(b="2")), ("DELETE", None)):
        assert (await door.ask(method, target, sent, user="eve")).code == (403, "AccessDenied")
    assert tags(await door.ask("GET", target)) == {"a": "1"}


async def test_refused_with_an_object(door: Asker) -> None:
    """An object with tags that can't be is not stored."""
    eleven = "&".join(f"k{number}=v" for number in range(11))
    put = await door.ask("PUT", "/bucket/key", b"1", x_amz_tagging=eleven)
    assert put.code == (400, "BadRequest")
    assert (await door.ask("GET", "/bucket/key?tagging")).code == (404, "NoSuchKey")


async def test_count_is_the_owners(door: Asker) -> None:
    """Who may read an object is not told how many tags it has, which are its owner's."""
    await door.ask("PUT", "/bucket/key", b"1", x_amz_tagging="a=1", x_amz_acl="public-read")
    seen = await door.ask("GET", "/bucket/key", user="eve")
    assert (seen.status, "x-amz-tagging-count" in seen.headers) == (200, False)


async def test_copied(door: Asker) -> None:
    """A copy has its source's tags, or others; another's can't be copied."""
    source = {"x_amz_copy_source": "/bucket/key"}
    await door.ask("PUT", "/bucket/key", b"1", x_amz_tagging="a=1", x_amz_acl="public-read")
    await door.ask("PUT", "/bucket/same", **source)
    assert tags(await door.ask("GET", "/bucket/same?tagging")) == {"a": "1"}
    other = {**source, "x_amz_tagging_directive": "REPLACE", "x_amz_tagging": "b=2"}
    await door.ask("PUT", "/bucket/other", **other)
    assert tags(await door.ask("GET", "/bucket/other?tagging")) == {"b": "2"}
    await door.ask("PUT", "/theirs", user="eve")
    copied = await door.ask("PUT", "/theirs/key", user="eve", **source)
    assert copied.code == (403, "AccessDenied")
    assert (await door.ask("PUT", "/theirs/key", user="eve", **other)).status == 200


async def test_in_parts(door: Asker) -> None:
    """An object that comes in parts has the tags that its upload was begun with."""
    begun = await door.ask("POST", "/bucket/key?uploads", x_amz_tagging="a=1")
    upload = begun.members["UploadId"]
    part = await door.ask("PUT", f"/bucket/key?partNumber=1&uploadId={upload}", b"1")
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    assert (await door.ask("POST", f"/bucket/key?uploadId={upload}", body)).status == 200
    assert tags(await door.ask("GET", "/bucket/key?tagging")) == {"a": "1"}
