"""Buckets at the objectstore's door."""

from __future__ import annotations

import pytest

from nova_tx.testing.asking import Asker


def configuration(content: str) -> bytes:
    """What may come with CreateBucket."""
    return f"<CreateBucketConfiguration>{content}</CreateBucketConfiguration>".encode()


def constraint(location: str) -> bytes:
    """Where a bucket is to be."""
    return configuration(f"<LocationConstraint>{location}</LocationConstraint>")


@pytest.mark.parametrize(
    ("sent", "told", "region"),
    [
        (None, "", "us-east-1"),
        (configuration(""), "", "us-east-1"),
        (constraint("us-east-1"), "", "us-east-1"),
        (constraint("nova"), "nova", "nova"),
        (constraint("eu-west-1"), "eu-west-1", "eu-west-1"),
        (constraint("EU"), "EU", "eu-west-1"),
    ],
)
async def test_location(door: Asker, sent: bytes | None, told: str, region: str) -> None:
    """A bucket is where it was asked to be; unless told in S3's first region, which has no name."""
    made = await door.ask("PUT", "/new", sent)
    assert (made.status, made.headers["location"]) == (200, "/new")
    assert ((await door.ask("GET", "/new?location")).xml.text or "") == told
    for user in ("joe", "eve"):
        seen = await door.ask("HEAD", "/new", user=user)
        assert seen.status == (200 if user == "joe" else 403)
        assert seen.headers["x-amz-bucket-region"] == region


async def test_again(door: Asker) -> None:
    """To make one's own bucket again is nothing in S3's first region, and an error elsewhere."""
    again = await door.ask("PUT", "/bucket")
    moved = await door.ask("PUT", "/bucket", constraint("nova"))
    assert (again.status, moved.code) == (200, (409, "BucketAlreadyOwnedByYou"))
    await door.ask("PUT", "/there", constraint("nova"))
    again = await door.ask("PUT", "/there")
    assert again.code == (409, "BucketAlreadyOwnedByYou")
    assert again.members["BucketName"] == "there"
    assert (await door.ask("PUT", "/bucket", user="eve")).code == (409, "BucketAlreadyExists")


async def test_tags(door: Asker) -> None:
    """Tags may come with a new bucket."""
    tags = "<Tags><Tag><Key>a</Key><Value>1</Value></Tag></Tags>"
    assert (await door.ask("PUT", "/new", configuration(tags))).status == 200
    assert (await door.ask("GET", "/new?tagging")).texts(".//Key") == ["a"]


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (constraint("no place"), {}, (400, "InvalidLocationConstraint")),
        (b"<Other/>", {}, (400, "MalformedXML")),
        (configuration("<Other/>"), {}, (400, "MalformedXML")),
        (configuration("<Location/>"), {}, (501, "NotImplemented")),
        (None, {"x_amz_bucket_object_lock_enabled": "true"}, (501, "NotImplemented")),
        (None, {"x_amz_object_ownership": "BucketOwnerEnforced"}, (501, "NotImplemented")),
    ],
)
async def test_refused(
    door: Asker, body: bytes | None, headers: dict[str, str], code: tuple[int, str]
) -> None:
    """What can't be had with a bucket is said, and there is none."""
    assert (await door.ask("PUT", "/new", body, **headers)).code == code
    assert (await door.ask("HEAD", "/new")).status == 404


async def test_accepted(door: Asker) -> None:
    """What is so anyway may be asked for."""
    headers = {
        "x_amz_bucket_object_lock_enabled": "false",
        "x_amz_object_ownership": "ObjectWriter",
    }
    assert (await door.ask("PUT", "/new", **headers)).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "dash-",
        "dot.",
        "two..dots",
        "192.168.0.1",
        "xn--name",
        "name-s3alias",
    ],
)
async def test_names(door: Asker, name: str) -> None:
    """Who signs as clients do today makes buckets of today's names; who signs as in 2011 of those
    that S3 took then, which everybody uses on."""
    refused = await door.ask("PUT", f"/{name}")
    assert (refused.code, refused.members["BucketName"]) == ((400, "InvalidBucketName"), name)
    assert (await door.ask("PUT", f"/{name}", old=True)).status == 200
    for method, body in (("PUT", None), ("HEAD", None), ("GET", None)):
        assert (await door.ask(method, f"/{name}", body)).status == 200
    assert (await door.ask("PUT", f"/{name}/key", b"1")).status == 200


@pytest.mark.parametrize("name", ["abc", "a" * 63, "1.2-3", "192.168.0.1.2", "a.b.c"])
async def test_good_names(door: Asker, name: str) -> None:
    """Names that S3 takes are taken."""
    assert (await door.ask("PUT", f"/{name}")).status == 200


@pytest.mark.parametrize("name", ["_images", ".new", "%2E%2E", "a%2Fb", "%C3%BCber", "a" * 256])
async def test_bad_names(door: Asker, name: str) -> None:
    """What never was a bucket's name is none for old clients either."""
    assert (await door.ask("PUT", f"/{name}", old=True)).status == 400


async def test_list(door: Asker) -> None:
    """Buckets are listed all at once, unless pages, a prefix or a region are asked for."""
    for name in ("alpha", "beta", "bravo"):
        await door.ask("PUT", f"/{name}")
    await door.ask("PUT", "/there", constraint("nova"))
    await door.ask("PUT", "/theirs", user="eve")
    everything = await door.ask("GET", "/")
    names = ["alpha", "beta", "bravo", "bucket", "there"]
    assert everything.texts("Buckets/Bucket/Name") == names
    assert everything.texts("Buckets/Bucket/BucketRegion") == []
    started = await door.ask("GET", "/?prefix=b")
    assert started.texts("Buckets/Bucket/Name") == ["beta", "bravo", "bucket"]
    assert started.members == {"Prefix": "b"}
    near = await door.ask("GET", "/?bucket-region=nova")
    assert near.texts("Buckets/Bucket/Name") == ["there"]
    assert near.texts("Buckets/Bucket/BucketRegion") == ["nova"]
    found, target = [], "/?max-buckets=2"
    for left in (2, 1, 0):
        page = await door.ask("GET", target)
        found += page.texts("Buckets/Bucket/Name")
        token = page.members.get("ContinuationToken")
        assert (token is not None) == bool(left)
        target = f"/?max-buckets=2&continuation-token={token}"
    assert found == names


@pytest.mark.parametrize(
    "query",
    ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=x"],
)
async def test_list_refused(door: Asker, query: str) -> None:
    """A page of no size, and one that nobody gave a token for, are refused."""
    assert (await door.ask("GET", f"/?{query}")).code == (400, "InvalidArgument")
