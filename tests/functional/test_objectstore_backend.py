"""nova-objectstore in front of another S3, as an operator has it and as clients see it."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from twisted.internet.task import deferLater

from nova_tx.context import RequestContext
from nova_tx.flags import S3Flags
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.model.images import NewImage
from nova_tx.testing.objectstore import install_authority, make_bundle
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon
from nova_tx.testing.objectstore_process import SECRET, Server
from nova_tx.testing.objectstore_server import known_users
from nova_tx.testing.remote_stores import BUCKET, bucket_at, flags_of, opened

JOE = RequestContext("joe", "joe")
PART = 5 * 2**20


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The S3 that keeps everything, with its bucket."""
    server = Server(tmp_path_factory.mktemp("behind"))
    with bucket_at(server.endpoint.port):
        yield server
    server.kill()


@pytest.fixture(scope="module")
def daemon(behind: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectstoreDaemon]:
    """The objectstore before it, with joe's bucket."""
    directory = tmp_path_factory.mktemp("front")
    install_authority(str(directory))
    made = ObjectstoreDaemon(directory, *flags_of(behind.endpoint.port, "cloud"))
    try:
        made.start()
        made.s3().create_bucket(Bucket="bucket")
        yield made
    finally:
        made.close()


def _content(s3: Any, key: str, **more: str) -> bytes:
    content: bytes = s3.get_object(Bucket="bucket", Key=key, **more)["Body"].read()
    return content


def test_an_ordinary_story(daemon: ObjectstoreDaemon) -> None:
    """Put, range, parts, copies, lists, links, deletes: clients see no difference."""
    s3 = daemon.s3()
    contents = {"a/small": b"small", "a/large": os.urandom(300_000), "b": b""}
    for key, content in contents.items():
        s3.put_object(Bucket="bucket", Key=key, Body=content, Metadata={"colour": "blue"})
    found = s3.get_object(Bucket="bucket", Key="a/large", ChecksumMode="ENABLED")
    assert found["Body"].read() == contents["a/large"]
    assert found["Metadata"] == {"colour": "blue"} and found["ChecksumCRC32"]
    assert _content(s3, "a/large", Range="bytes=100-299") == contents["a/large"][100:300]
    parts = [os.urandom(PART), os.urandom(PART), b"the end"]
    upload = s3.create_multipart_upload(Bucket="bucket", Key="parts")["UploadId"]
    place = {"Bucket": "bucket", "Key": "parts", "UploadId": upload}
    etags = {
        number: s3.upload_part(**place, PartNumber=number, Body=parts[number - 1])["ETag"]
        for number in (3, 1, 2)
    }
    said = [{"PartNumber": number, "ETag": etags[number]} for number in (1, 2, 3)]
    made = s3.complete_multipart_upload(**place, MultipartUpload={"Parts": said})
    assert made["ETag"].endswith('-3"')
    whole = b"".join(parts)
    assert _content(s3, "parts") == whole
    middle = f"bytes={PART - 5}-{2 * PART + 2}"
    assert _content(s3, "parts", Range=middle) == whole[PART - 5 : 2 * PART + 3]
    s3.copy_object(Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "parts"})
    assert _content(s3, "copy") == whole
    listed = s3.list_objects_v2(Bucket="bucket", Delimiter="/")
    assert [each["Key"] for each in listed["Contents"]] == ["b", "copy", "parts"]
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["a/"]
    link = s3.generate_presigned_url("get_object", {"Bucket": "bucket", "Key": "a/large"})
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == contents["a/large"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket="bucket", Key="b", Body=b"x", IfNoneMatch="*")
    keys = [{"Key": key} for key in (*contents, "parts", "copy")]
    assert "Errors" not in s3.delete_objects(Bucket="bucket", Delete={"Objects": keys})
    assert s3.list_objects_v2(Bucket="bucket")["KeyCount"] == 0
    s3.close()


def test_form(daemon: ObjectstoreDaemon) -> None:
    """The file of a form, whose length nobody says, is stored as it comes."""
    s3 = daemon.s3()
    content = os.urandom(9 * 2**20)
    form = s3.generate_presigned_post("bucket", "form")
    body = b""
    for name, value in form["fields"].items():
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    body += b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    body += content + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with urllib.request.urlopen(urllib.request.Request(form["url"], body, headers)) as answer:
        assert answer.status == 204
    assert _content(s3, "form") == content
    s3.delete_object(Bucket="bucket", Key="form")
    s3.close()


async def test_killed_in_an_upload(daemon: ObjectstoreDaemon, behind: Server) -> None:
    """What was there stays if the daemon dies in an upload, and what came of that is removed."""
    from twisted.internet.threads import deferToThread

    await deferToThread(_killed, daemon)
    async with opened(behind.endpoint.port, "cloud", later=3600.0) as store:
        listed = await store.listing("bucket", "", "", "", 9)
        assert [key for key, _ in listed.objects] == ["key"]
    with bucket_client(behind) as there:
        names = [each["Key"] for each in there.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert len([name for name in names if "/data/" in name]) == 1
    assert not [name for name in names if "/garbage/" in name]
    await deferToThread(daemon.s3().delete_object, Bucket="bucket", Key="key")


def _killed(daemon: ObjectstoreDaemon) -> None:
    s3 = daemon.s3()
    content = os.urandom(200_000)
    s3.put_object(Bucket="bucket", Key="key", Body=content)

    class Body:
        """Ends the daemon in its middle."""

        def __init__(self) -> None:
            self._left = 8

        def __len__(self) -> int:
            return 8 * 2**20

        def read(self, size: int = -1) -> bytes:
            self._left -= 1
            if self._left == 3:
                daemon.kill()
            return bytes(2**20) if self._left >= 0 else b""

    link = s3.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "key"})
    request = urllib.request.Request(link, Body(), {"Content-Length": str(8 * 2**20)}, method="PUT")  # type: ignore[arg-type]
    with pytest.raises(OSError):
        urllib.request.urlopen(request)
    daemon.start()
    assert _content(s3, "key") == content
    s3.close()


def bucket_client(behind: Server) -> Any:
    """A client of the S3 behind, to be closed."""
    from contextlib import closing

    return closing(behind.boto3())


async def test_image(daemon: ObjectstoreDaemon) -> None:
    """A bundle that was uploaded is registered, available, and is what it was made of."""
    from twisted.internet import reactor

    content = os.urandom(300_000)
    s3 = daemon.s3()
    for path in make_bundle(daemon.directory / "bundle", content):
        s3.upload_file(path, "bucket", Path(path).name)
    s3.close()
    images = ObjectstoreImages(
        S3Flags(s3_host="127.0.0.1", s3_port=daemon.port), await known_users(), reactor
    )
    try:
        image_id = await images.register(JOE, NewImage("bucket/disk.manifest.xml"))
        while (await images.show(JOE, image_id)).state not in ("available", "failed"):
            await deferLater(reactor, 0.02)  # type: ignore[arg-type]
        path = str(daemon.directory / "fetched")
        assert await images.fetch(JOE, image_id, path) == len(content)
        assert Path(path).read_bytes() == content
    finally:
        await images.close()


def test_away(tmp_path: Path) -> None:
    """While the S3 behind is away clients hear 503, and afterwards all is there."""
    behind = Server(tmp_path / "behind")
    with bucket_at(behind.endpoint.port):
        pass
    daemon = ObjectstoreDaemon(tmp_path / "front", *flags_of(behind.endpoint.port))
    try:
        daemon.start()
        s3 = daemon.s3()
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=b"content")
        behind.kill()
        for ask in (
            lambda: s3.get_object(Bucket="bucket", Key="key"),
            lambda: s3.put_object(Bucket="bucket", Key="key", Body=bytes(100_000)),
        ):
            with pytest.raises(ClientError) as caught:
                ask()
            assert caught.value.response["Error"]["Code"] == "ServiceUnavailable"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        assert SECRET not in daemon.log() and "the S3 behind this one" in daemon.log()
        assert "Traceback" not in daemon.log()
        s3.close()
    finally:
        daemon.close()


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--s3_backend_url=http://127.0.0.1/bucket",), "needs s3_backend_access_key"),
        ((*flags_of(1), "--objectstore_workers=2"), "objectstore_workers must be 1"),
        ((*flags_of(1), "--s3_backend_ca=/nowhere"), "s3_backend_ca: can't read /nowhere"),
        (flags_of(1), "s3_backend_url can't be used"),
    ],
)
def test_cannot_start(tmp_path: Path, flags: tuple[str, ...], why: str) -> None:
    """Flags that make no sense together, or lead nowhere, end the daemon with a sentence."""
    daemon = ObjectstoreDaemon(tmp_path, *flags)
    with pytest.raises(AssertionError, match="it does not run"):
        daemon.start()
    daemon.close()
    assert why in daemon.log()
    assert SECRET not in daemon.log()
    assert daemon.manage("objectstore", "check") == 1
