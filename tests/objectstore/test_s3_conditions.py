"""Conditional requests at the objectstore's door."""

from __future__ import annotations

import pytest

from nova_tx.objectstore.conditions import http_date
from nova_tx.testing.asking import Asker, md5_of

RIGHT, WRONG = f'"{md5_of(b"1")}"', f'"{md5_of(b"2")}"'
LARGE = b"1" * 100_000


@pytest.mark.parametrize("content", [b"2", LARGE], ids=["small", "large"])
async def test_put_if_nothing_is_there(door: Asker, content: bytes) -> None:
    """If-None-Match: * stores what is new, and leaves what is there."""
    first = await door.ask("PUT", "/bucket/key", b"1", if_none_match="*")
    again = await door.ask("PUT", "/bucket/key", content, if_none_match="*")
    assert (first.status, again.code) == (200, (412, "PreconditionFailed"))
    assert again.members["Condition"] == "If-None-Match"
    assert (await door.ask("GET", "/bucket/key")).body == b"1"


@pytest.mark.parametrize("content", [b"2", LARGE], ids=["small", "large"])
async def test_put_if_it_is_this(door: Asker, content: bytes) -> None:
    """If-Match replaces the object of that ETag alone."""
    nothing = await door.ask("PUT", "/bucket/key", content, if_match=RIGHT)
    assert nothing.code == (404, "NoSuchKey")
    await door.ask("PUT", "/bucket/key", b"1")
    wrong = await door.ask("PUT", "/bucket/key", content, if_match=WRONG)
    assert wrong.code == (412, "PreconditionFailed")
    assert (await door.ask("GET", "/bucket/key")).body == b"1"
    assert (await door.ask("PUT", "/bucket/key", content, if_match=RIGHT)).status == 200
    assert (await door.ask("GET", "/bucket/key")).body == content


EARLY, LATE = http_date(0), http_date(2**31)


@pytest.mark.parametrize("content", [b"2", LARGE], ids=["small", "large"])
async def test_put_by_time(door: Asker, content: bytes) -> None:
    """If-Unmodified-Since and If-Modified-Since replace an object of such a time alone."""

    async def code(**headers: str) -> tuple[int, str]:
        await door.ask("PUT", "/bucket/key", b"1")
        found = await door.ask("PUT", "/bucket/key", content, **headers)
        there = await door.ask("GET", "/bucket/key")
        assert there.body == (content if found.status == 200 else b"1")
        return found.code

    assert await code(if_unmodified_since=LATE) == (200, "")
    assert await code(if_unmodified_since=EARLY) == (412, "PreconditionFailed")
    assert await code(if_modified_since=EARLY) == (200, "")
    assert await code(if_modified_since=LATE) == (412, "PreconditionFailed")
    assert await code(if_unmodified_since="whenever") == (200, "")
    assert await code(if_match=RIGHT, if_unmodified_since=EARLY) == (200, "")
    assert await code(if_match=WRONG, if_unmodified_since=LATE) == (412, "PreconditionFailed")
    # what is not there has no time
    for name, since in (
        ("one", {"if_unmodified_since": EARLY}),
        ("other", {"if_modified_since": LATE}),
    ):
        assert (await door.ask("PUT", f"/bucket/{name}", content, **since)).status == 200


async def test_delete_if_it_is_this(door: Asker) -> None:
    """If-Match removes the object of that ETag alone; * any, if there is one."""
    for etag in (RIGHT, "*"):
        missing = await door.ask("DELETE", "/bucket/key", if_match=etag)
        assert missing.code == (404, "NoSuchKey")
        await door.ask("PUT", "/bucket/key", b"1")
        wrong = await door.ask("DELETE", "/bucket/key", if_match=WRONG)
        assert wrong.code == (412, "PreconditionFailed")
        assert (await door.ask("GET", "/bucket/key")).status == 200
        assert (await door.ask("DELETE", "/bucket/key", if_match=etag)).status == 204


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {"if_none_match": RIGHT}),
        ("PUT", {"if_none_match": "*", "if_match": RIGHT}),
        ("DELETE", {"if_none_match": "*"}),
        ("DELETE", {"if_modified_since": http_date(0)}),
        ("DELETE", {"x_amz_if_match_size": "1"}),
    ],
)
async def test_no_such_condition(door: Asker, method: str, headers: dict[str, str]) -> None:
    """A condition that S3 does not know for a call is refused, and not passed over."""
    body = b"2" if method == "PUT" else None
    assert (await door.ask(method, "/bucket/key", body, **headers)).code == (501, "NotImplemented")


async def test_who_may_not_read_learns_nothing(door: Asker) -> None:
    """A condition tells those who may write alone neither what is there nor whether it is."""
    grant = {"x_amz_grant_write": "id=eve"}
    await door.ask("PUT", "/theirs", **grant)
    await door.ask("PUT", "/theirs/key", b"1")
    for key in ("key", "nothing"):
        for method, body in (("PUT", b"2"), ("DELETE", None)):
            for etag in (RIGHT, WRONG):
                answer = await door.ask(method, f"/theirs/{key}", body, user="eve", if_match=etag)
                assert answer.code == (403, "AccessDenied")
        for since in (EARLY, LATE):
            answer = await door.ask(
                "PUT", f"/theirs/{key}", b"2", user="eve", if_unmodified_since=since
            )
            assert answer.code == (403, "AccessDenied")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_get(door: Asker, method: str) -> None:
    """GET and HEAD say 304 or 412 alike, and honour If-Range."""
    await door.ask("PUT", "/bucket/key", b"1")

    async def status(**headers: str) -> int:
        return (await door.ask(method, "/bucket/key", **headers)).status

    unchanged = await door.ask(method, "/bucket/key", if_none_match=RIGHT)
    assert (unchanged.status, unchanged.headers["etag"], unchanged.body) == (304, RIGHT, b"")
    assert await status(if_match=WRONG) == 412
    assert await status(if_unmodified_since=http_date(0)) == 412
    assert await status(if_modified_since=http_date(2**31)) == 304
    assert await status(range="bytes=0-0", if_range=RIGHT) == 206
    assert await status(range="bytes=0-0", if_range=WRONG) == 200
    assert await status(range="bytes=5-", if_range=WRONG) == 200


async def test_copy(door: Asker) -> None:
    """A copy that is not to replace anything does not."""
    await door.ask("PUT", "/bucket/key", b"1")
    source = {"x_amz_copy_source": "/bucket/key"}
    first = await door.ask("PUT", "/bucket/copy", if_none_match="*", **source)
    again = await door.ask("PUT", "/bucket/copy", if_none_match="*", **source)
    assert (first.status, again.code) == (200, (412, "PreconditionFailed"))
    for since in ({"if_unmodified_since": EARLY}, {"if_modified_since": LATE}):
        answer = await door.ask("PUT", "/bucket/copy", **since, **source)
        assert answer.code == (412, "PreconditionFailed")


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        ("if_match", RIGHT, WRONG),
        ("if_none_match", WRONG, RIGHT),
        ("if_modified_since", EARLY, LATE),
        ("if_unmodified_since", LATE, EARLY),
    ],
)
async def test_copy_if(door: Asker, condition: str, holds: str, fails: str) -> None:
    """An object, and a part, is copied only of a source that is as each condition says."""
    await door.ask("PUT", "/bucket/key", b"1")
    upload = (await door.ask("POST", "/bucket/parts?uploads")).members["UploadId"]
    for target in ("/bucket/copy", f"/bucket/parts?partNumber=1&uploadId={upload}"):
        for value, code in ((fails, (412, "PreconditionFailed")), (holds, (200, ""))):
            headers = {"x_amz_copy_source": "/bucket/key", f"x_amz_copy_source_{condition}": value}
            assert (await door.ask("PUT", target, **headers)).code == code
    # the ETag says more than the time
    for headers in (
        {"x_amz_copy_source_if_match": RIGHT, "x_amz_copy_source_if_unmodified_since": EARLY},
        {"x_amz_copy_source_if_none_match": WRONG, "x_amz_copy_source_if_modified_since": LATE},
    ):
        answer = await door.ask("PUT", "/bucket/copy", x_amz_copy_source="/bucket/key", **headers)
        assert answer.status == 200


async def test_parts(door: Asker) -> None:
    """Parts replace an object only if that is the wanted one; the upload goes on until then."""
    upload = (await door.ask("POST", "/bucket/key?uploads")).members["UploadId"]
    part = await door.ask("PUT", f"/bucket/key?partNumber=1&uploadId={upload}", b"2")
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{part.headers['etag']}</ETag></Part></CompleteMultipartUpload>"
    ).encode()
    await door.ask("PUT", "/bucket/key", b"1")
    target = f"/bucket/key?uploadId={upload}"
    refused = await door.ask("POST", target, body, if_none_match="*")
    assert refused.code == (412, "PreconditionFailed")
    refused = await door.ask("POST", target, body, if_unmodified_since=EARLY)
    assert refused.code == (412, "PreconditionFailed")
    assert (await door.ask("GET", "/bucket/key")).body == b"1"
    assert (await door.ask("POST", target, body, if_match=RIGHT)).status == 200
    assert (await door.ask("GET", "/bucket/key")).body == b"2"
