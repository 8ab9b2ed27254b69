"""The objectstore in a process of its own, as clients that nobody here wrote see it."""

from __future__ import annotations

import filecmp
import hashlib
import http.client
import io
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from nova_tx.auth.s3_signatures import sign
from nova_tx.context import RequestContext
from nova_tx.errors import Unavailable
from nova_tx.flags import S3Flags
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.model.images import ImageSource
from nova_tx.testing.certificates import Authority
from nova_tx.testing.objectstore_process import ACCESS, SECRET, Server
from nova_tx.testing.objectstore_server import known_users

KEYS = (
    "plain",
    "with space",
    "a/b//c/",
    "//",
    "%2F%00%",
    "../../etc/passwd",
    "q?a=b&c=d#e+f",
    "ünïcode/日本",
    "tab\there\x01",
    "x" * 1024,
    ("y/" * 200)[:-1],
)


@pytest.fixture(params=["plain", "TLS"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    authority = Authority(tmp_path / "authority") if request.param == "TLS" else None
    found = Server(tmp_path, authority=authority)
    try:
        yield found
    finally:
        if found.process.returncode is None:
            found.kill()


@pytest.fixture(params=["boto3", "boto3 with version 2"])
def client(server: Server, request: pytest.FixtureRequest) -> Any:
    version = {"signature_version": "s3"} if "2" in request.param else {}
    found = server.boto3(**version)
    found.create_bucket(Bucket="bucket")
    return found


def _code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_keys(client: Any) -> None:
    """A key is any text: what was put under it is got, listed and deleted under it."""
    for key in KEYS:
        client.put_object(Bucket="bucket", Key=key, Body=key.encode())
    for key in KEYS:
        assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == key.encode()
    listed = [each["Key"] for each in client.list_objects_v2(Bucket="bucket")["Contents"]]
    assert listed == sorted(KEYS, key=str.encode)
    for key in KEYS:
        client.delete_object(Bucket="bucket", Key=key)
    client.delete_bucket(Bucket="bucket")


def test_boto(server: Server) -> None:
    """boto 2.49 stores, lists, gets in part, and deletes; its metadata come back."""
    connection = server.boto()
    bucket = connection.create_bucket("bucket")
    content = os.urandom(3_000_000)
    for name in ("a b", "ü/ñ", "a%2Fb"):
        key = bucket.new_key(name)
        key.set_metadata("colour", "blue")
        key.set_contents_from_string(content, headers={"Content-Type": "text/x-test"})
    found = bucket.get_key("ü/ñ")
    assert found.get_contents_as_string() == content
    assert found.get_contents_as_string(headers={"Range": "bytes=10-19"}) == content[10:20]
    assert found.etag == f'"{hashlib.md5(content).hexdigest()}"'
    assert (found.get_metadata("colour"), found.content_type) == ("blue", "text/x-test")
    assert [key.name for key in bucket.list(prefix="a")] == ["a b", "a%2Fb"]
    assert [each.name for each in connection.get_all_buckets()] == ["bucket"]
    assert bucket.get_key("nothing") is None
    for key in bucket.list():
        key.delete()
    bucket.delete()
    assert connection.lookup("bucket") is None


def test_large(client: Any) -> None:
    """An object of many megabytes comes back as it was, with its checksum, whole and in part."""
    content = os.urandom(20 * 2**20 + 17)
    made = client.put_object(Bucket="bucket", Key="large", Body=content)
    assert made["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
    assert made["ChecksumCRC32"]
    found = client.get_object(Bucket="bucket", Key="large", ChecksumMode="ENABLED")
    assert found["Body"].read() == content
    assert found["ChecksumCRC32"] == made["ChecksumCRC32"]
    for text, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=-17", content[-17:]),
        ("bytes=20971520-", content[20971520:]),
    ):
        part = client.get_object(Bucket="bucket", Key="large", Range=text)
        assert part["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert part["Body"].read() == expected
    with pytest.raises(ClientError) as caught:
        client.get_object(Bucket="bucket", Key="large", Range="bytes=99999999-")
    assert _code(caught) == ("InvalidRange", 416)


def test_replaced(server: Server) -> None:
    """The room of a large object that was replaced is given back, and no file stays open."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    for content in (b"a" * 2**20, b"b" * 2**20):
        client.put_object(Bucket="bucket", Key="large", Body=content)
    assert client.get_object(Bucket="bucket", Key="large")["Body"].read() == content
    end = time.monotonic() + 60
    while [each for each in server.open_files() if "/objects/" in each]:
        assert time.monotonic() < end, server.open_files()


class _Chunked(io.RawIOBase):
    """Says that it is sent in chunks: seekable, but of no length that botocore can see."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()


def test_stream(client: Any) -> None:
    """A body whose length is not known beforehand is stored without the coding it came in."""
    content = os.urandom(300_000)
    client.put_object(Bucket="bucket", Key="stream", Body=_Chunked(content))
    found = client.get_object(Bucket="bucket", Key="stream")
    assert found["Body"].read() == content
    assert "aws-chunked" not in found.get("ContentEncoding", "")


def test_pages(client: Any) -> None:
    """A listing in pages, with a delimiter, shows each key and each common prefix once."""
    for key in ("a", "b/1", "b/2", "b/3", "c/1", "d"):
        client.put_object(Bucket="bucket", Key=key, Body=b"")
    for operation in ("list_objects", "list_objects_v2"):
        pages = client.get_paginator(operation).paginate(
            Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 1}
        )
        keys, prefixes = [], []
        for page in pages:
            keys += [each["Key"] for each in page.get("Contents", ())]
            prefixes += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        assert (keys, prefixes) == (["a", "d"], ["b/", "c/"])


def test_refusals(client: Any, server: Server) -> None:
    """What can't be done is refused with S3's code and status."""
    client.put_object(Bucket="bucket", Key="key", Body=b"1")
    client.create_bucket(Bucket="bucket")  # again is nothing
    eve = server.boto3("eve-access:eve", "eve-secret")
    for expected, attempt in (
        (("BucketNotEmpty", 409), lambda: client.delete_bucket(Bucket="bucket")),
        (("NoSuchBucket", 404), lambda: client.list_objects(Bucket="nothing")),
        (("NoSuchKey", 404), lambda: client.get_object(Bucket="bucket", Key="nothing")),
        (("404", 404), lambda: client.head_object(Bucket="bucket", Key="nothing")),
        (("AccessDenied", 403), lambda: eve.get_object(Bucket="bucket", Key="key")),
        (("AccessDenied", 403), lambda: eve.put_object(Bucket="bucket", Key="key", Body=b"2")),
        (("BucketAlreadyExists", 409), lambda: eve.create_bucket(Bucket="bucket")),
        (("NotImplemented", 501), lambda: client.get_bucket_versioning(Bucket="bucket")),
        (
            ("BadDigest", 400),
            lambda: client.put_object(
                Bucket="bucket", Key="key", Body=b"2", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="
            ),
        ),
        (
            ("BadDigest", 400),
            lambda: client.put_object(
                Bucket="bucket", Key="key", Body=b"2", ChecksumCRC32="AAAAAA=="
            ),
        ),
    ):
        with pytest.raises(ClientError) as caught:
            attempt()
        assert _code(caught) == expected
    client.delete_object(Bucket="bucket", Key="nothing")
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"1"


def test_pipelined(server: Server) -> None:
    """Requests that are sent at once on one connection are answered in order, large ones, too."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    contents = {"small": b"small", "large": os.urandom(9 * 2**20 + 1), "last": b""}
    for key, content in contents.items():
        client.put_object(Bucket="bucket", Key=key, Body=content)
    names = ["small", "large", "large", "small", "last", "large", "small"]
    with server.endpoint.connect() as connection:
        for key in names:
            fields = {"host": "127.0.0.1", **server.sign("GET", f"/bucket/{key}")}
            lines = [f"GET /bucket/{key} HTTP/1.1"]
            lines += [f"{name}: {each}" for name, each in fields.items()]
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
        with connection.makefile("rb") as answers:
            for key in names:
                assert answers.readline().startswith(b"HTTP/1.1 200 ")
                heads = http.client.parse_headers(answers)
                assert answers.read(int(heads["content-length"])) == contents[key]


def test_strangers(server: Server) -> None:
    """A wrong secret, an unknown key, a foreign project and no signature are four refusals."""
    for access, secret, expected in (
        (ACCESS, "wrong", ("SignatureDoesNotMatch", 403)),
        ("nobody:joe", SECRET, ("InvalidAccessKeyId", 403)),
        ("joe-access:eve", SECRET, ("AccessDenied", 403)),
        ("joe-access:nothing", SECRET, ("AccessDenied", 403)),
    ):
        for version in ({}, {"signature_version": "s3"}):
            with pytest.raises(ClientError) as caught:
                server.boto3(access, secret, **version).list_buckets()
            assert _code(caught) == expected
    connection = server.endpoint.http()
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.read()
    assert answer.headers["x-amz-request-id"]
    connection.close()


def test_no_requests(server: Server) -> None:
    """What is no HTTP, or too long, is answered as S3 does, and leaves nothing."""
    server.boto3().create_bucket(Bucket="bucket")
    long = "RequestHeaderSectionTooLarge"
    for lines, code in (
        (["GET"], "BadRequest"),
        (["GET / HTTP/1.1", "no colon"], "BadRequest"),
        (["PUT /bucket/key HTTP/1.1", "content-length: -1"], "BadRequest"),
        (["PUT /bucket/key HTTP/1.1", f"content-length: {'9' * 5000}"], "BadRequest"),
        (["PUT /bucket/key HTTP/1.1", "content-length: 1", "content-length: 2"], "BadRequest"),
        (["GET / HTTP/1.1", *(f"a: {'b' * 8000}" for _ in range(3))], long),
        (["GET / HTTP/1.1", *("a: b" for _ in range(501))], long),
        ([f"GET /{'a' * 20_000} HTTP/1.1"], long),
    ):
        with server.endpoint.connect() as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            said = answer.read().decode()
        assert (answer.status, f"<Code>{code}</Code>" in said) == (400, True), lines[0][:40]
        assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>" in said
    coding = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    more = {"x-amz-decoded-content-length": "4"}
    now, path = datetime.now(UTC), "/bucket/key"
    fields = sign("PUT", "127.0.0.1", path, (), ACCESS, SECRET, now, coding, more=more)
    lines = ["PUT /bucket/key HTTP/1.1", "transfer-encoding: chunked"]
    lines += [f"{name}: {each}" for name, each in fields.items()]
    with server.endpoint.connect() as connection:
        connection.sendall("\r\n".join([*lines, "", "4", "1234", "no size", ""]).encode())
        assert b"<Code>BadRequest</Code>" in b"".join(iter(lambda: connection.recv(65536), b""))
    assert "Contents" not in server.boto3().list_objects(Bucket="bucket")


def test_continue(server: Server) -> None:
    """A client that asks first is told to go on, or is refused before it sent a byte."""
    server.boto3().create_bucket(Bucket="bucket")
    with server.begin_put("/bucket/key", 5, Expect="100-Continue") as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"12345")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    with server.begin_put("/nothing/key", 2**40, Expect="100-continue") as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"<Code>NoSuchBucket</Code>" in answer


def test_continue_to_nothing(server: Server) -> None:
    """Who asks before sending no bytes is told to go on, too: botocore before 1.44 takes the next
    answer on the connection for another one if the first comes at once."""
    server.boto3().create_bucket(Bucket="bucket")
    with (
        server.begin_put("/bucket/key", 0, Expect="100-continue") as connection,
        connection.makefile("rb") as answers,
    ):
        assert answers.readline() + answers.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert answers.readline().startswith(b"HTTP/1.1 200 ")


def test_refused_while_sending(server: Server) -> None:
    """A client that does not ask first still reads why it was refused."""
    connection = server.endpoint.http()
    headers = server.sign("PUT", "/nothing/key")
    connection.request("PUT", "/nothing/key", b"x" * 500_000, headers)
    answer = connection.getresponse()
    assert answer.status == 404
    assert b"<Code>NoSuchBucket</Code>" in answer.read()
    connection.close()


def test_killed_after_answer(server: Server) -> None:
    """An object is there after kill -9, if its PUT was answered with 200."""
    server.boto3().create_bucket(Bucket="bucket")
    content = os.urandom(2**20)
    with server.begin_put("/bucket/key", len(content)) as connection:
        connection.sendall(content)
        assert connection.recv(12) == b"HTTP/1.1 200"
        os.kill(server.process.pid, signal.SIGKILL)
    server.kill()
    server.start()
    found = server.boto3().get_object(Bucket="bucket", Key="key")
    assert found["Body"].read() == content


def test_killed_while_sending(server: Server) -> None:
    """kill -9 in the middle of a PUT leaves the old object, and nothing of the new one."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="key", Body=b"old")
    new = server.directory / "buckets" / ".new"
    with server.begin_put("/bucket/key", 2 * 2**20) as connection:
        connection.sendall(b"x" * 2**20)
        _wait(lambda: any(each.stat().st_size >= 2**19 for each in new.iterdir()))
        server.kill()
    server.start()
    assert server.boto3().get_object(Bucket="bucket", Key="key")["Body"].read() == b"old"
    assert list(new.iterdir()) == []


def test_gone_while_sending(server: Server) -> None:
    """A client that goes away in the middle of a PUT leaves nothing."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    new = server.directory / "buckets" / ".new"
    with server.begin_put("/bucket/key", 2 * 2**20) as connection:
        connection.sendall(b"x" * 2**20)
        _wait(lambda: list(new.iterdir()) != [])
    _wait(lambda: list(new.iterdir()) == [])
    assert "Contents" not in client.list_objects(Bucket="bucket")


def test_memory(server: Server) -> None:
    """256 MiB go in and out while the process grows by less than 32 MiB."""
    client = server.boto3()
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="small", Body=b"x" * 2**20)
    idle = server.memory("VmHWM")
    block = bytes(range(256)) * 4096
    with server.begin_put("/bucket/large", 256 * 2**20) as connection:
        for _ in range(256):
            connection.sendall(block)
        assert connection.recv(12) == b"HTTP/1.1 200"
    body = client.get_object(Bucket="bucket", Key="large")["Body"]
    assert sum(len(piece) for piece in body.iter_chunks(2**20)) == 256 * 2**20
    assert server.memory("VmHWM") - idle < 32 * 2**20


JOE = RequestContext("joe", "joe")


@asynccontextmanager
async def _images(server: Server) -> AsyncIterator[ObjectstoreImages]:
    """joe's client of the registry of images."""
    from twisted.internet import reactor

    url = urlsplit(server.endpoint.url)
    flags = S3Flags(
        s3_scheme=url.scheme,
        s3_host="127.0.0.1",
        s3_port=server.endpoint.port,
        s3_ssl_ca=server.endpoint.verify or "",
    )
    found = ObjectstoreImages(flags, await known_users(), reactor)
    await found.open()
    try:
        yield found
    finally:
        await found.close()


def _disk(path: Path, mebibytes: int) -> str:
    with path.open("wb") as file:
        for _ in range(mebibytes):
            file.write(os.urandom(2**20))
    return str(path)


async def test_killed_while_an_image_is_brought(server: Server) -> None:
    """kill -9 in the middle leaves no image and no file; brought again, the image is whole."""
    path = _disk(server.directory / "disk", 128)
    new = server.directory / "images" / ".new"
    async with _images(server) as images:
        source = ImageSource(1, None, None, "x86_64")
        image_id = await images.announce(JOE, source, "golden", None)
        bringing = Deferred.fromCoroutine(images.bring(JOE, image_id, path))
        await deferToThread(_wait, lambda: _size(new) >= 2**24)
        server.kill()
        with pytest.raises(Unavailable):
            await bringing
        assert _size(new) > 0
    server.start()
    assert [each.name for each in new.parent.iterdir()] == [".new"]
    assert list(new.iterdir()) == []
    async with _images(server) as images:
        assert (await images.show(JOE, image_id)).state == "pending"
        await images.bring(JOE, image_id, path)
        os.kill(server.process.pid, signal.SIGKILL)
    server.kill()
    server.start()
    async with _images(server) as images:
        assert (await images.show(JOE, image_id)).state == "available"
    assert filecmp.cmp(path, new.parent / image_id / "image", shallow=False)


def _size(new: Path) -> int:
    """Bytes of the files that are on their way."""
    return sum(each.stat().st_size for each in new.rglob("image"))


async def test_memory_while_an_image_is_brought(server: Server) -> None:
    """256 MiB are brought while who sends and who takes them grow by less than 32 MiB each."""
    path = _disk(server.directory / "disk", 256)
    async with _images(server) as images:
        source = ImageSource(1, None, None, "x86_64")
        image_id = await images.announce(JOE, source, "golden", None)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        idle, own = server.memory("VmHWM"), _peak()
        await images.bring(JOE, image_id, path)
        assert (await images.show(JOE, image_id)).size == 256 * 2**20
        assert server.memory("VmHWM") - idle < 32 * 2**20
        assert _peak() - own < 32 * 2**20


def _peak() -> int:
    """The most bytes that this process had lately."""
    [line] = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM:" in x]
    return int(line.split()[1]) * 1024


def test_ended(server: Server) -> None:
    """SIGTERM ends the process with status 0."""
    server.boto3().list_buckets()
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_ended_while_sending(server: Server) -> None:
    """SIGTERM does not wait for ever for a client that has stopped sending."""
    server.boto3().create_bucket(Bucket="bucket")
    with server.begin_put("/bucket/key", 10, Expect="100-continue") as connection:
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        server.process.terminate()
        assert server.process.wait(120) == 0
    assert list((server.directory / "buckets" / ".new").iterdir()) == []


def _wait(ready: Any) -> None:
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)
