"""An objectstore on a disk of 8 MiB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

#: A disk that only the server sees, then the server.
_START = """
import os, subprocess, sys
os.mkdir(sys.argv[1] + "/buckets")
disk = ["-t", "tmpfs", "-o", "size=8m", "tmpfs", sys.argv[1] + "/buckets"]
subprocess.run(["mount", *disk], check=True)
os.execv(sys.executable, [sys.executable, "-m", "nova_tx.testing.objectstore_server", sys.argv[1]])
"""
MIB = bytes(2**20)


class Narrow:
    """The process, and a client of it."""

    def __init__(self, directory: Path) -> None:
        argv = ["unshare", "--mount", sys.executable, "-c", _START, str(directory)]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        port = int(self.process.stdout.readline())
        self.buckets = Path(f"/proc/{self.process.pid}/root{directory}/buckets")
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="joe-access:joe",
            aws_secret_access_key="joe-secret",
            region_name="nova",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                read_timeout=120,
            ),
        )

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket="bucket", Key=key, Body=body)

    def refused(self, key: str, body: bytes) -> tuple[int, str]:
        """Status and code of a PUT that must not succeed."""
        with pytest.raises(ClientError) as caught:
            self.put(key, body)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]

    def left_over(self) -> list[str]:
        """What is not there yet, or never will be."""
        return [each.name for each in (self.buckets / ".new").iterdir()]

    def listed(self) -> list[str]:
        found = self.s3.list_objects(Bucket="bucket").get("Contents", [])
        return [each["Key"] for each in found]


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Narrow]:
    """A server whose buckets are on a small disk, with a bucket."""
    made = Narrow(tmp_path)
    try:
        made.s3.create_bucket(Bucket="bucket")
        yield made
    finally:
        made.s3.close()
        made.process.terminate()
        made.process.communicate(timeout=120)


def test_what_does_not_fit_is_refused_and_leaves_nothing(narrow: Narrow) -> None:
    """On a full disk uploads get 507 with S3's XML, what is there is served, and room is room."""
    narrow.put("first", MIB)
    assert narrow.refused("large", 12 * MIB) == (507, "InsufficientStorage")
    assert (narrow.left_over(), narrow.listed()) == ([], ["first"])
    small, stored = bytes(60_000), 0
    for number in range(200):
        try:
            narrow.put(f"small-{number:03}", small)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "InsufficientStorage"
            break
        stored += 1
    assert 100 < stored < 200
    assert narrow.left_over() == [] and len(narrow.listed()) == stored + 1
    assert len(narrow.s3.get_object(Bucket="bucket", Key="first")["Body"].read()) == 2**20
    narrow.s3.delete_object(Bucket="bucket", Key="first")
    narrow.put("second", MIB[: 2**19])
    assert "second" in narrow.listed()


def test_what_else_needs_room(narrow: Narrow) -> None:
    """On a full disk parts, copies and tags are refused alike, and all that was there stays."""
    narrow.put("first", MIB)
    upload = {"Bucket": "bucket", "Key": "parts"}
    upload["UploadId"] = narrow.s3.create_multipart_upload(**upload)["UploadId"]
    big, last = bytes(5 * 2**20), b"last"
    parts = [narrow.s3.upload_part(**upload, PartNumber=1, Body=big)]
    parts.append(narrow.s3.upload_part(**upload, PartNumber=2, Body=last))
    source = {"Bucket": "bucket", "Key": "first"}
    narrow.put("filled", bytes(2**20 + 2**19))
    for number in range(1000):  # what is left, a page at a time
        try:
            narrow.put(f"page-{number:03}", b"")
        except ClientError:
            break
    s3 = narrow.s3
    for call, more in (
        (s3.upload_part, {**upload, "PartNumber": 2, "Body": MIB}),
        (s3.upload_part, {**upload, "PartNumber": 2, "Body": b"another"}),
        (s3.upload_part_copy, {**upload, "PartNumber": 2, "CopySource": source}),
        (s3.copy_object, {"Bucket": "bucket", "Key": "filled", "CopySource": source}),
        (s3.put_object_tagging, {**source, "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
        (s3.create_multipart_upload, {"Bucket": "bucket", "Key": "more"}),
        (s3.create_bucket, {"Bucket": "another"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**more)
        answer = caught.value.response
        assert answer["Error"]["Code"] == "InsufficientStorage", call
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert narrow.left_over() == []
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["bucket"]
    assert s3.get_object_tagging(**source)["TagSet"] == []
    assert s3.head_object(Bucket="bucket", Key="filled")["ContentLength"] == 2**20 + 2**19
    listed = s3.list_parts(**upload)["Parts"]
    assert [(each["Size"], each["ETag"]) for each in listed] == [
        (len(body), part["ETag"]) for body, part in zip((big, last), parts, strict=True)
    ]
    pages = [{"Key": each} for each in narrow.listed() if each.startswith("page-")]
    removed = s3.delete_objects(Bucket="bucket", Delete={"Objects": pages})
    assert len(removed["Deleted"]) == len(pages) > 0
    named = [{"ETag": part["ETag"], "PartNumber": at} for at, part in enumerate(parts, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": named})
    assert s3.get_object(Bucket="bucket", Key="parts")["Body"].read() == big + last
