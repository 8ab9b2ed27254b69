"""Objects in parts, copies, and many deletions, as clients that nobody here wrote ask for them."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from nova_tx.testing.objectstore_process import Server

MEBI = 2**20
PART = os.urandom(5 * MEBI)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    try:
        found.boto3().create_bucket(Bucket="bucket")
        yield found
    finally:
        if found.process.returncode is None:
            found.kill()


@pytest.fixture(params=["boto3", "boto3 with version 2"])
def client(server: Server, request: pytest.FixtureRequest) -> Any:
    version = {"signature_version": "s3"} if "2" in request.param else {}
    return server.boto3(**version)


def _code(attempt: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        attempt()
    return str(caught.value.response["Error"]["Code"])


def _etag(*parts: bytes) -> str:
    whole = hashlib.md5(b"".join(hashlib.md5(each).digest() for each in parts)).hexdigest()
    return f'"{whole}-{len(parts)}"'


class Upload:
    """One that goes on."""

    def __init__(self, client: Any, key: str = "key", **given: Any) -> None:
        self.client = client
        self.of = {"Bucket": "bucket", "Key": key}
        made = client.create_multipart_upload(**self.of, **given)
        self.of["UploadId"] = made["UploadId"]

    def put(self, number: int, body: bytes, **given: Any) -> dict[str, Any]:
        made = self.client.upload_part(PartNumber=number, Body=body, **self.of, **given)
        found = {name: value for name, value in made.items() if name.startswith("Checksum")}
        return {"PartNumber": number, "ETag": made["ETag"], **found}

    def complete(self, *parts: dict[str, Any], **given: Any) -> Any:
        return self.client.complete_multipart_upload(
            MultipartUpload={"Parts": list(parts)}, **self.of, **given
        )


def test_parts(client: Any) -> None:
    """Parts in any order, replaced, and the last one small, are one object with all its facts."""
    upload = Upload(client, ContentType="text/x-test", Metadata={"colour": "blue"})
    third = upload.put(3, b"end")
    upload.put(1, b"not this")
    second, first = upload.put(2, PART), upload.put(1, PART[::-1])
    with pytest.raises(ClientError):
        client.head_object(Bucket="bucket", Key="key")
    made = upload.complete(first, second, third)
    parts = (PART[::-1], PART, b"end")
    assert made["ETag"] == _etag(*parts)
    found = client.get_object(Bucket="bucket", Key="key")
    assert found["Body"].read() == b"".join(parts)
    assert (found["ETag"], found["ContentType"]) == (made["ETag"], "text/x-test")
    assert found["Metadata"] == {"colour": "blue"}
    across = client.get_object(Bucket="bucket", Key="key", Range="bytes=5242875-5242884")
    assert across["Body"].read() == parts[0][-5:] + parts[1][:5]
    for number, content in enumerate(parts, 1):
        part = client.get_object(Bucket="bucket", Key="key", PartNumber=number)
        assert (part["Body"].read(), part["PartsCount"]) == (content, 3)
        head = client.head_object(Bucket="bucket", Key="key", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (len(content), 3)
    assert _code(lambda: client.get_object(Bucket="bucket", Key="key", PartNumber=4)) == (
        "InvalidPartNumber"
    )
    assert upload.complete(first, second, third)["ETag"] == made["ETag"]
    client.put_object(Bucket="bucket", Key="key", Body=b"another")
    assert _code(lambda: upload.complete(first, second, third)) == "NoSuchUpload"


def test_refusals(client: Any) -> None:
    """What can't be put together is refused by S3's names, and the upload goes on."""
    upload = Upload(client)
    small, large = upload.put(1, b"small"), upload.put(2, PART)
    other = {**large, "ETag": small["ETag"]}
    missing = {"PartNumber": 9, "ETag": small["ETag"]}
    for code, parts in (
        ("EntityTooSmall", (small, large)),
        ("InvalidPart", (small, other)),
        ("InvalidPart", (large, missing)),
        ("InvalidPartOrder", (large, small)),
        ("InvalidPartOrder", (large, large)),
        ("MalformedXML", ()),
    ):
        assert _code(lambda parts=parts: upload.complete(*parts)) == code  # type: ignore[misc]
    for number in (0, 10001):
        assert _code(lambda number=number: upload.put(number, b"")) == (  # type: ignore[misc]
            "InvalidArgument"
        )
    assert upload.complete(large)["ETag"] == _etag(PART)
    for attempt in (
        lambda: upload.put(1, b""),
        lambda: upload.put(1, PART),
        lambda: client.list_parts(**upload.of),
        lambda: client.abort_multipart_upload(**upload.of),
    ):
        assert _code(attempt) == "NoSuchUpload"
    for bad in ("../../bucket.json", "x", "0" * 32):
        upload.of["UploadId"] = bad
        assert _code(lambda: client.list_parts(**upload.of)) == "NoSuchUpload"


def test_lists(client: Any) -> None:
    """Uploads and parts are listed in pages, each once, and not any more when they are over."""
    keys = ("a", "b/1", "b/2", "c", "c")
    uploads = [Upload(client, key) for key in keys]
    for each in uploads:
        for number in (3, 10000, 1):
            each.put(number, b"x" * number)
    paginator = client.get_paginator("list_parts")
    pages = paginator.paginate(**uploads[0].of, PaginationConfig={"PageSize": 2})
    parts = [each for page in pages for each in page["Parts"]]
    assert [(each["PartNumber"], each["Size"]) for each in parts] == [
        (1, 1),
        (3, 3),
        (10000, 10000),
    ]
    paginator = client.get_paginator("list_multipart_uploads")
    for size in (1, 2, 1000):
        paging = {"PageSize": size}
        pages = list(paginator.paginate(Bucket="bucket", PaginationConfig=paging))
        found = [each for page in pages for each in page.get("Uploads", ())]
        assert [(each["Key"], each["UploadId"]) for each in found] == [
            (each.of["Key"], each.of["UploadId"]) for each in uploads
        ]
        pages = list(paginator.paginate(Bucket="bucket", Delimiter="/", PaginationConfig=paging))
        found = [each["Key"] for page in pages for each in page.get("Uploads", ())]
        prefixes = [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", ())]
        assert (found, prefixes) == (["a", "c", "c"], ["b/"])
    found = client.list_multipart_uploads(Bucket="bucket", Prefix="b/")["Uploads"]
    assert [each["Key"] for each in found] == ["b/1", "b/2"]
    for each in uploads:
        client.abort_multipart_upload(**each.of)
    assert "Uploads" not in client.list_multipart_uploads(Bucket="bucket")
    client.delete_bucket(Bucket="bucket")


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums(server: Server, algorithm: str) -> None:
    """An object in parts has a checksum of its parts' checksums, which are all to be named."""
    client = server.boto3()
    upload = Upload(client, ChecksumAlgorithm=algorithm)
    parts = [upload.put(1, PART, ChecksumAlgorithm=algorithm)]
    parts.append(upload.put(2, b"end", ChecksumAlgorithm=algorithm))
    name = f"Checksum{algorithm}"
    page = client.list_parts(**upload.of)
    assert page["ChecksumAlgorithm"] == algorithm
    assert [each[name] for each in page["Parts"]] == [each[name] for each in parts]
    bare = [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in parts]
    assert _code(lambda: upload.complete(*bare)) == "InvalidRequest"
    assert _code(lambda: upload.complete(parts[0], {**parts[1], name: parts[0][name]})) == (
        "InvalidPart"
    )
    made = upload.complete(*parts)
    assert made[name].endswith("-2") and made["ChecksumType"] == "COMPOSITE"


def test_checksum_of_the_whole(server: Server) -> None:
    """The CRC of an object in parts can be that of all its bytes."""
    client = server.boto3()
    upload = Upload(client, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    parts = [upload.put(number, body) for number, body in ((1, PART), (2, PART), (4, b"end"))]
    whole = client.put_object(Bucket="bucket", Key="whole", Body=PART + PART + b"end")
    wrong = {"ChecksumCRC32": "AAAAAA==", "ChecksumType": "FULL_OBJECT"}
    assert _code(lambda: upload.complete(*parts, **wrong)) == "BadDigest"
    assert _code(lambda: upload.complete(*parts, MpuObjectSize=7)) == "InvalidRequest"
    made = upload.complete(*parts, ChecksumCRC32=whole["ChecksumCRC32"], ChecksumType="FULL_OBJECT")
    assert made["ChecksumCRC32"] == whole["ChecksumCRC32"]
    found = client.get_object(Bucket="bucket", Key="key", ChecksumMode="ENABLED")
    assert found["Body"].read() == PART + PART + b"end"
    assert found["ChecksumCRC32"] == whole["ChecksumCRC32"]


def test_threads(server: Server) -> None:
    """What boto3 sends with several threads comes back as it was, by several threads as well."""
    client = server.boto3(max_pool_connections=16)
    content = os.urandom(48 * MEBI + 17)
    config = TransferConfig(multipart_threshold=MEBI, multipart_chunksize=5 * MEBI)
    client.upload_fileobj(io.BytesIO(content), "bucket", "key", Config=config)
    found = io.BytesIO()
    client.download_fileobj("bucket", "key", found, Config=config)
    assert found.getvalue() == content
    client.copy({"Bucket": "bucket", "Key": "key"}, "bucket", "copy", Config=config)
    assert client.get_object(Bucket="bucket", Key="copy")["Body"].read() == content


def test_boto(server: Server) -> None:
    """boto 2.49 uploads in parts, copies a part and a key, lists, and deletes many at a time."""
    bucket = server.boto().get_bucket("bucket")
    upload = bucket.initiate_multipart_upload("a b", metadata={"colour": "blue"})
    upload.upload_part_from_file(io.BytesIO(PART), 1)
    upload.upload_part_from_file(io.BytesIO(b"end"), 2)
    assert [each.size for each in upload] == [5 * MEBI, 3]
    assert [each.id for each in bucket.get_all_multipart_uploads()] == [upload.id]
    upload.complete_upload()
    key = bucket.get_key("a b")
    assert key.get_contents_as_string() == PART + b"end"
    assert (key.etag, key.get_metadata("colour")) == (_etag(PART, b"end"), "blue")
    upload = bucket.initiate_multipart_upload("\xfc")
    upload.copy_part_from_key("bucket", "a b", 1, 0, 5 * MEBI - 1)
    upload.copy_part_from_key("bucket", "a b", 2, 5 * MEBI, 5 * MEBI + 2)
    upload.complete_upload()
    assert bucket.get_key("\xfc").get_contents_as_string() == PART + b"end"
    copied = bucket.copy_key("c", "bucket", "\xfc")
    assert copied.etag == f'"{hashlib.md5(PART + b"end").hexdigest()}"'
    assert bucket.get_key("c").get_contents_as_string() == PART + b"end"
    bucket.initiate_multipart_upload("d").cancel_upload()
    assert bucket.get_all_multipart_uploads() == []
    result = bucket.delete_keys(["a b", "\xfc", "c", "nothing"])
    assert (len(result.deleted), result.errors) == (4, [])
    assert list(bucket.list()) == []


def test_copies(client: Any) -> None:
    """A copy has the bytes, and the facts of its source or new ones, as is asked for."""
    for content in (b"small", PART):
        client.put_object(
            Bucket="bucket",
            Key="a/\xfc +%?",
            Body=content,
            Metadata={"is": "old"},
            ContentType="a/b",
        )
        source = {"Bucket": "bucket", "Key": "a/\xfc +%?"}
        made = client.copy_object(Bucket="bucket", Key="copy", CopySource=source)
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        assert made["CopyObjectResult"]["ETag"] == etag
        found = client.get_object(Bucket="bucket", Key="copy")
        assert found["Body"].read() == content
        assert (found["Metadata"], found["ContentType"]) == ({"is": "old"}, "a/b")
        for key in ("copy", source["Key"]):
            client.copy_object(
                **{"Bucket": "bucket", "Key": key, "CopySource": source},
                Metadata={"is": "new"},
                MetadataDirective="REPLACE",
            )
            found = client.get_object(Bucket="bucket", Key=key)
            assert found["Body"].read() == content
            assert (found["Metadata"], found["ContentType"]) == (
                {"is": "new"},
                "binary/octet-stream",
            )


def test_copies_refused(client: Any, server: Server) -> None:
    """A copy that would change nothing, or whose source is not as asked, is refused."""
    client.put_object(Bucket="bucket", Key="key", Body=b"content")
    etag = client.head_object(Bucket="bucket", Key="key")["ETag"]
    to = {"Bucket": "bucket", "Key": "copy"}
    for code, given in (
        ("InvalidRequest", {**to, "Key": "key", "CopySource": "bucket/key"}),
        ("NoSuchKey", {**to, "CopySource": "bucket/nothing"}),
        ("NoSuchBucket", {**to, "CopySource": "nothing/key"}),
        ("InvalidArgument", {**to, "CopySource": "bucket"}),
        ("InvalidArgument", {**to, "CopySource": "bucket/key?versionId=7"}),
        ("PreconditionFailed", {**to, "CopySource": "bucket/key", "CopySourceIfMatch": "x"}),
        ("PreconditionFailed", {**to, "CopySource": "bucket/key", "CopySourceIfNoneMatch": etag}),
        ("InvalidArgument", {**to, "CopySource": "bucket/key", "MetadataDirective": "MOVE"}),
    ):
        assert _code(lambda given=given: client.copy_object(**given)) == code  # type: ignore[misc]
    client.copy_object(**to, CopySource="bucket/key", CopySourceIfMatch=etag)
    eve = server.boto3("eve-access:eve", "eve-secret")
    eve.create_bucket(Bucket="hers")
    assert _code(lambda: eve.copy_object(Bucket="hers", Key="k", CopySource="bucket/key")) == (
        "AccessDenied"
    )
    upload = Upload(client, "parts")
    copied = {"PartNumber": 1, "CopySource": "bucket/key", **upload.of}
    for text in ("bytes=0-7", "bytes=1-", "bytes=3-2", "0-1"):
        assert _code(
            lambda text=text: client.upload_part_copy(CopySourceRange=text, **copied)  # type: ignore[misc]
        ) == ("InvalidArgument")
    made = client.upload_part_copy(CopySourceRange="bytes=2-4", **copied)["CopyPartResult"]
    assert made["ETag"] == f'"{hashlib.md5(b"nte").hexdigest()}"'
    upload.complete({"PartNumber": 1, "ETag": made["ETag"]})
    assert client.get_object(Bucket="bucket", Key="parts")["Body"].read() == b"nte"


def test_deletions(client: Any) -> None:
    """A thousand keys are removed at a time; for each that is not, it is said why."""
    keys = [f"{number}/\xfc&<" + "k" * (number % 500) for number in range(1000)]
    for key in keys[::20]:
        client.put_object(Bucket="bucket", Key=key, Body=b"")
    etag = client.put_object(Bucket="bucket", Key="kept", Body=b"kept")["ETag"]
    objects = [{"Key": key} for key in keys]
    found = client.delete_objects(Bucket="bucket", Delete={"Objects": objects})
    assert [each["Key"] for each in found["Deleted"]] == keys
    listed = client.list_objects_v2(Bucket="bucket")["Contents"]
    assert [each["Key"] for each in listed] == ["kept"]
    too_many = {"Objects": [*objects, {"Key": "kept"}]}
    assert _code(lambda: client.delete_objects(Bucket="bucket", Delete=too_many)) == (
        "MalformedXML"
    )
    some = [
        {"Key": "x" * 1025},
        {"Key": "kept", "ETag": "another"},
        {"Key": "kept", "VersionId": "7"},
        {"Key": "kept", "Size": 4},
        {"Key": "gone", "ETag": etag},
        {"Key": "nothing"},
    ]
    found = client.delete_objects(Bucket="bucket", Delete={"Objects": some, "Quiet": True})
    assert "Deleted" not in found
    assert [each["Code"] for each in found["Errors"]] == [
        "KeyTooLongError",
        "PreconditionFailed",
        "InvalidArgument",
        "NotImplemented",
        "NoSuchKey",
    ]
    wanted = {"Objects": [{"Key": "kept", "ETag": etag}]}
    found = client.delete_objects(Bucket="bucket", Delete=wanted)
    assert [each["Key"] for each in found["Deleted"]] == ["kept"]


def test_killed(server: Server) -> None:
    """kill -9 during a part leaves those that were acknowledged; the object is made of them."""
    client = server.boto3()
    client.put_object(Bucket="bucket", Key="key", Body=b"old")
    upload = Upload(client)
    first = upload.put(1, PART)
    lost = Upload(client, "lost")
    path = f"/bucket/key?partNumber=2&uploadId={upload.of['UploadId']}"
    data = server.directory / "buckets" / "bucket" / "uploads" / "=key"
    [file] = data.glob("*/data")
    before = file.stat().st_blocks
    with server.begin_put(path, 10 * MEBI) as connection:
        connection.sendall(b"x" * 9 * MEBI)
        _wait(lambda: file.stat().st_size > 10 * MEBI)
        server.kill()
    server.start()
    assert file.stat().st_blocks <= before + 16
    client = upload.client = server.boto3()
    assert [each["PartNumber"] for each in client.list_parts(**upload.of)["Parts"]] == [1]
    second = upload.put(2, b"end")
    client.abort_multipart_upload(**lost.of)
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"old"
    upload.complete(first, second)
    server.kill()
    server.start()
    client = upload.client = server.boto3()
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == PART + b"end"
    assert upload.complete(first, second)["ETag"] == _etag(PART, b"end")
    assert list(data.parent.iterdir()) == []


def test_gone_while_sending(server: Server) -> None:
    """The room of a part whose client goes away is given back."""
    client = server.boto3()
    upload = Upload(client)
    path = f"/bucket/key?partNumber=1&uploadId={upload.of['UploadId']}"
    [file] = (server.directory / "buckets").glob("bucket/uploads/*/*/data")
    with server.begin_put(path, 10 * MEBI) as connection:
        connection.sendall(b"x" * 9 * MEBI)
        _wait(lambda: file.stat().st_blocks > 1000)
    _wait(lambda: file.stat().st_blocks <= 16)
    assert "Parts" not in client.list_parts(**upload.of)


def test_memory(server: Server) -> None:
    """256 MiB in parts go in, are put together and out, while the process grows by 32 MiB."""
    client = server.boto3()
    upload = Upload(client)
    content = PART * 7
    upload.put(1, PART)
    idle = server.memory("VmHWM")
    parts = [upload.put(number, content) for number in range(1, 9)]
    buckets = server.directory / "buckets"
    [file] = buckets.glob("bucket/uploads/*/*/data")
    inode = file.stat().st_ino
    upload.complete(*parts)
    assert (buckets / "bucket" / "objects" / "=key").stat().st_ino == inode  # nothing was copied
    body = client.get_object(Bucket="bucket", Key="key")["Body"]
    assert sum(len(piece) for piece in body.iter_chunks(MEBI)) == 8 * len(content)
    client.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/key")
    assert server.memory("VmHWM") - idle < 32 * MEBI


def _wait(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)
