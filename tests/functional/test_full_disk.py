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
