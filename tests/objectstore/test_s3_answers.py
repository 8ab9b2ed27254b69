"""The shape of answers, and what an object is told with."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from twisted.internet.endpoints import HostnameEndpoint
from twisted.web.client import ProxyAgent

from nova_tx.testing.asking import Asker, in_chunks


async def test_names_of_a_request(door: Asker) -> None:
    """Each answer, good or bad, names the request and the host; a document says the same."""
    seen, hosts = set(), set()
    for method, target in (
        ("GET", "/"),
        ("PUT", "/bucket/key"),
        ("HEAD", "/bucket/key"),
        ("GET", "/bucket/key"),
        ("GET", "/bucket/nothing"),
        ("DELETE", "/bucket/key"),
        ("PATCH", "/bucket/key"),
    ):
        answer = await door.ask(method, target)
        seen.add(answer.headers["x-amz-request-id"])
        hosts.add(answer.headers["x-amz-id-2"])
        if answer.code[1]:
            assert answer.members["RequestId"] == answer.headers["x-amz-request-id"]
            assert answer.members["HostId"] == answer.headers["x-amz-id-2"]
    assert (len(seen), len(hosts)) == (7, 1)


async def test_date(door: Asker) -> None:
    """Each answer, good or bad, says what time it is, for who has to set a clock by it."""
    for method, target in (("GET", "/bucket"), ("HEAD", "/bucket/no"), ("GET", "/bucket/no")):
        answer = await door.ask(method, target, user="")
        told = parsedate_to_datetime(answer.headers["date"])
        assert abs((told - datetime.now(UTC)).total_seconds()) < 600


@pytest.mark.parametrize(
    ("method", "target", "headers", "code", "members"),
    [
        ("GET", "/nothing", {}, (404, "NoSuchBucket"), {"BucketName": "nothing"}),
        ("GET", "/bucket/no", {}, (404, "NoSuchKey"), {"Key": "no"}),
        ("GET", "/bucket/%01", {}, (404, "NoSuchKey"), {"Resource": "/bucket/%01"}),
        ("DELETE", "/bucket", {}, (409, "BucketNotEmpty"), {"BucketName": "bucket"}),
        (
            "GET",
            "/bucket/key",
            {"range": "bytes=9-"},
            (416, "InvalidRange"),
            {"RangeRequested": "bytes=9-", "ActualObjectSize": "3"},
        ),
        (
            "GET",
            "/bucket/key",
            {"if_match": "x"},
            (412, "PreconditionFailed"),
            {"Condition": "If-Match"},
        ),
        (
            "PATCH",
            "/bucket/key",
            {},
            (405, "MethodNotAllowed"),
            {"Method": "PATCH", "ResourceType": "OBJECT"},
        ),
        ("GET", f"/bucket/{'k' * 1025}", {}, (400, "KeyTooLongError"), {"Size": "1025"}),
        (
            "PUT",
            f"/bucket/{'k' * 1025}",
            {},
            (400, "KeyTooLongError"),
            {"Size": "1025", "MaxSizeAllowed": "1024"},
        ),
        (
            "PUT",
            "/bucket/new",
            {"content_md5": "CY9rzUYh03PK3k6DJie09g=="},
            (400, "BadDigest"),
            {
                "ExpectedDigest": "CY9rzUYh03PK3k6DJie09g==",
                "CalculatedDigest": "1B2M2Y8AsgTpgAmY7PhCfg==",
            },
        ),
        (
            "PUT",
            "/bucket/new",
            {"x_amz_meta_a": "x" * 2048},
            (400, "MetadataTooLarge"),
            {"Size": "2049", "MaxSizeAllowed": "2048"},
        ),
        (
            "PUT",
            "/bucket/new",
            {"x_amz_storage_class": "GLACIER"},
            (400, "InvalidStorageClass"),
            {"StorageClassRequested": "GLACIER"},
        ),
        (
            "PUT",
            "/bucket/new",
            {"x_amz_server_side_encryption": "AES256"},
            (501, "NotImplemented"),
            {"Header": "x-amz-server-side-encryption"},
        ),
        ("PUT", "/bucket/new", {"content_md5": "x"}, (400, "InvalidDigest"), {}),
        ("PUT", "/bucket/new", {"content_md5": "ü"}, (400, "InvalidDigest"), {}),
        ("PUT", "/bucket/new", {"x_amz_security_token": "x"}, (400, "InvalidToken"), {}),
        ("GET", "/bucket/%FF", {}, (400, "InvalidURI"), {"Resource": "/bucket/%FF"}),
    ],
)
async def test_failures(
    door: Asker,
    method: str,
    target: str,
    headers: dict[str, str],
    code: tuple[int, str],
    members: dict[str, str],
) -> None:
    """A failure has S3's code, and what S3 says besides."""
    await door.ask("PUT", "/bucket/key", b"123")
    answer = await door.ask(method, target, **headers)
    assert answer.code == code
    assert members.items() <= answer.members.items()
    assert (await door.ask("HEAD", "/bucket/new")).status == 404


async def test_whole_urls(door: Asker) -> None:
    """A request whose first line has the whole URL, as to a proxy, is one for that host."""
    from twisted.internet import reactor

    to = HostnameEndpoint(reactor, "127.0.0.1", door.running.port)
    door.agent = ProxyAgent(to, reactor)
    for old in (True, False):
        assert (await door.ask("PUT", "/bucket/a%2Fb", b"123", old=old)).status == 200
        assert (await door.ask("GET", "/bucket/a%2Fb", old=old)).body == b"123"
    told = await door.ask("GET", "/bucket/none")
    assert (told.code, told.members["Resource"]) == ((404, "NoSuchKey"), "/bucket/none")


async def test_no_length(door: Asker) -> None:
    """A body whose length nobody tells is refused; in S3's chunks it may come so."""
    answer = await door.ask("PUT", "/bucket/key", b"1", untold=True)
    assert answer.code == (411, "MissingContentLength")
    body, headers = in_chunks(b"123")
    assert (await door.ask("PUT", "/bucket/key", body, untold=True, **headers)).status == 200
    assert (await door.ask("GET", "/bucket/key")).body == b"123"


async def test_incomplete(door: Asker) -> None:
    """Fewer bytes than were announced are no object."""
    body, headers = in_chunks(b"123")
    headers["x_amz_decoded_content_length"] = "4"
    answer = await door.ask("PUT", "/bucket/key", body, **headers)
    assert answer.code == (400, "IncompleteBody")
    assert (await door.ask("GET", "/bucket/key")).code == (404, "NoSuchKey")


async def test_too_large(door: Asker) -> None:
    """More than can be sent at once is refused before it comes."""
    answer = await door.ask("PUT", "/bucket/key", b"1", x_amz_decoded_content_length="9" * 11)
    assert answer.code == (400, "EntityTooLarge")


@pytest.mark.parametrize("owner", ["joe", "eve"])
async def test_expected_owner(door: Asker, owner: str) -> None:
    """Who says whose a bucket must be is refused if it is another's."""
    answer = await door.ask("GET", "/bucket", x_amz_expected_bucket_owner=owner)
    assert answer.code == ((200, "") if owner == "joe" else (403, "AccessDenied"))


@pytest.mark.parametrize("owner", ["joe", "eve"])
async def test_expected_owner_of_a_source(door: Asker, owner: str) -> None:
    """Who says whose a bucket must be that is copied from is refused if it is another's."""
    await door.ask("PUT", "/bucket/key", b"1")
    upload = (await door.ask("POST", "/bucket/parts?uploads")).members["UploadId"]
    for target in ("/bucket/copy", f"/bucket/parts?partNumber=1&uploadId={upload}"):
        source = {"x_amz_copy_source": "/bucket/key", "x_amz_source_expected_bucket_owner": owner}
        answer = await door.ask("PUT", target, **source)
        assert answer.code == ((200, "") if owner == "joe" else (403, "AccessDenied"))


async def test_headers_come_back(door: Asker) -> None:
    """Standard headers and metadata come back; a signed request may have others told."""
    kept = {"content_type": "text/plain", "cache_control": "no-cache", "x_amz_meta_colour": "ü"}
    await door.ask("PUT", "/bucket/key", b"1", **kept)
    told = (await door.ask("GET", "/bucket/key")).headers
    assert (told["content-type"], told["cache-control"]) == ("text/plain", "no-cache")
    assert told["x-amz-meta-colour"] == "=?UTF-8?B?w7w=?="
    target = "/bucket/key?response-content-type=a/b&response-expires=never"
    told = (await door.ask("GET", target)).headers
    assert (told["content-type"], told["expires"]) == ("a/b", "never")
    answer = await door.ask("GET", "/bucket/key?response-content-type=a%0D%0Ab")
    assert answer.code == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "name",
    [
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    ],
)
async def test_standard_headers(door: Asker, name: str) -> None:
    """Each of the standard headers is kept, copied with the object, and told otherwise if asked."""
    await door.ask("PUT", "/bucket/key", b"123", **{name.replace("-", "_"): "kept"})
    await door.ask("PUT", "/bucket/copy", x_amz_copy_source="/bucket/key")
    for method in ("GET", "HEAD"):
        for key in ("key", "copy"):
            told = (await door.ask(method, f"/bucket/{key}")).headers
            assert told[name] == "kept"
        told = (await door.ask(method, f"/bucket/key?response-{name}=another")).headers
        assert told[name] == "another"
        part = await door.ask(method, f"/bucket/key?response-{name}=other", range="bytes=1-1")
        assert (part.status, part.headers[name]) == (206, "other")


async def test_anybody_has_nothing_else_told(door: Asker) -> None:
    """Who does not sign is not told other headers than the owner's."""
    await door.ask("PUT", "/bucket/key", b"1", x_amz_acl="public-read")
    assert (await door.ask("GET", "/bucket/key", user="")).body == b"1"
    answer = await door.ask("GET", "/bucket/key?response-content-type=text/html", user="")
    assert answer.code == (400, "InvalidRequest")


async def test_as_much_as_can_be_known(door: Asker) -> None:
    """An object of which as much is known as can be is got and listed like any other."""
    tags = "&".join(f"{str(number) * 128}={'v' * 256}" for number in range(10))
    name = "a" * 30
    put = await door.ask(
        "PUT", "/bucket/key", b"123", x_amz_tagging=tags, **{f"x_amz_meta_{name}": "x" * 2000}
    )
    assert put.status == 200
    found = await door.ask("GET", "/bucket/key")
    assert (found.body, found.headers[f"x-amz-meta-{name}"]) == (b"123", "x" * 2000)
    assert (await door.ask("GET", "/bucket")).texts("Contents/Size") == ["3"]


async def test_no_head(door: Asker) -> None:
    """What is no request is refused, and nothing is logged as a fault of ours."""
    answer = await door.ask("PUT", "/bucket/key", transfer_encoding="chunked", content_length="")
    assert answer.code == (400, "BadRequest")
    assert answer.members["RequestId"] == answer.headers["x-amz-request-id"]
