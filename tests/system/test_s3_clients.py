"""
S3's clients of every age, on the daemon as an operator has it: a tree of files with one of 200 MB
among them goes there and comes back.

The programs find the daemon by what an operator would tell them, and sign as they do by default.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto.s3.connection import OrdinaryCallingFormat, S3Connection
from botocore.config import Config

from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon

ACCESS, SECRET = "joe-access:joe", "joe-secret"
LARGE = "large/file of 200 MB"
LARGE_SIZE = 200_000_000
#: Names that are hard to keep, on a disk and in a URL.
NAMES = ("plain", "a b/c d", "ünï/日本", "50%2F/+&=?#", "deep/" * 20 + "down", "~(it's)!", "empty")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectstoreDaemon]:
    found = ObjectstoreDaemon(tmp_path_factory.mktemp("objectstore"))
    found.start()
    try:
        yield found
        assert found.stop() == 0
    finally:
        found.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What goes there."""
    top = tmp_path_factory.mktemp("tree")
    for name in (*NAMES, *(f"many/{number:03}" for number in range(100)), LARGE):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"" if name == "empty" else name.encode() * 50)
    block = os.urandom(1_000_000)
    with open(top / LARGE, "wb") as file:
        for number in range(LARGE_SIZE // len(block)):
            file.write(number.to_bytes(4) + block[4:])
    return top


def digests(top: Path) -> dict[str, str]:
    """What is in a tree: the digest of each file by its name."""
    found = {}
    for path in top.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                found[str(path.relative_to(top))] = hashlib.file_digest(file, "sha1").hexdigest()
    return found


@dataclass
class Program:
    """
    A client that is a program.

    @ivar argv: how it is called, and where the daemon is.
    @ivar more: of its environment.
    """

    argv: list[str]
    more: dict[str, str]

    def __call__(self, *words: str) -> str:
        """What it says when it does what it is told to, on both of its channels."""
        ours = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
        done = subprocess.run(
            [*self.argv, *words],
            env={**ours, **self.more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout


def needed(name: str) -> str:
    """Where a program of Debian's is."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


def test_aws_cli(daemon: ObjectstoreDaemon, tree: Path, tmp_path: Path) -> None:
    """The AWS CLI syncs a tree there and back, and then finds nothing to do either way."""
    aws = Program(
        [
            str(Path(sys.executable).with_name("aws")),
            *("--endpoint-url", f"http://127.0.0.1:{daemon.port}", "--region", "nova"),
        ],
        {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "PYTHONUTF8": "1",
        },
    )
    back = tmp_path / "back"
    aws("s3", "mb", "s3://cli")
    assert aws("s3", "sync", str(tree), "s3://cli/tree").count("upload: ") == len(digests(tree))
    aws("s3", "sync", "s3://cli/tree", str(back))
    assert digests(back) == digests(tree)
    assert aws("s3", "sync", str(tree), "s3://cli/tree") == ""
    assert aws("s3", "sync", "s3://cli/tree", str(back)) == ""
    (back / "plain").unlink()
    assert "delete: s3://cli/tree/plain" in aws(
        "s3", "sync", "--delete", str(back), "s3://cli/tree"
    )
    listed = aws("s3", "ls", "--recursive", "--summarize", "s3://cli")
    assert f"{LARGE_SIZE} tree/{LARGE}" in listed
    assert f"Total Objects: {len(digests(tree)) - 1}" in listed
    aws("s3", "mv", f"s3://cli/tree/{LARGE}", "s3://cli/moved")
    assert f"{LARGE_SIZE} moved" in aws("s3", "ls", "s3://cli")
    aws("s3", "rb", "--force", "s3://cli")
    assert aws("s3", "ls") == ""


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_boto3(daemon: ObjectstoreDaemon, tree: Path, tmp_path: Path, version: str) -> None:
    """boto3 brings files in parts and whole, with checksums, metadata and tags, and gets them."""
    client: Any = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{daemon.port}",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        region_name="nova",
        config=Config(signature_version=version),
    )
    client.create_bucket(Bucket="boto3", CreateBucketConfiguration={"LocationConstraint": "nova"})
    assert client.get_bucket_location(Bucket="boto3")["LocationConstraint"] == "nova"
    for name in (LARGE, *NAMES):
        client.upload_file(
            str(tree / name),
            "boto3",
            name,
            ExtraArgs={"Metadata": {"colour": "blue"}, "ContentType": "text/x-test"},
        )
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        client.download_file("boto3", name, str(tmp_path / name))
    there = digests(tree)
    assert digests(tmp_path) == {name: there[name] for name in (LARGE, *NAMES)}
    known = client.head_object(Bucket="boto3", Key=LARGE, ChecksumMode="ENABLED")
    assert (known["Metadata"], known["ContentType"]) == ({"colour": "blue"}, "text/x-test")
    assert known["ChecksumCRC32"]
    assert known["ETag"].endswith('-24"')  # parts of 8 MiB
    attributes = client.get_object_attributes(
        Bucket="boto3", Key=LARGE, ObjectAttributes=["ObjectSize", "ObjectParts", "Checksum"]
    )
    assert attributes["ObjectSize"] == LARGE_SIZE
    assert attributes["ObjectParts"]["TotalPartsCount"] == 24
    tags = [{"Key": "a", "Value": "1"}]
    client.put_object_tagging(Bucket="boto3", Key="plain", Tagging={"TagSet": tags})
    assert client.get_object_tagging(Bucket="boto3", Key="plain")["TagSet"] == tags
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="boto3", PaginationConfig={"PageSize": 3}
    )
    listed = [each["Key"] for page in pages for each in page["Contents"]]
    assert listed == sorted((LARGE, *NAMES), key=str.encode)
    found = client.delete_objects(
        Bucket="boto3", Delete={"Objects": [{"Key": name} for name in listed]}
    )
    assert len(found["Deleted"]) == len(listed)
    client.delete_bucket(Bucket="boto3")


def test_boto(daemon: ObjectstoreDaemon, tree: Path, tmp_path: Path) -> None:
    """boto 2.49 brings files whole and in parts, tags and copies them, and gets them."""
    connection = S3Connection(
        ACCESS,
        SECRET,
        is_secure=False,
        host="127.0.0.1",
        port=daemon.port,
        calling_format=OrdinaryCallingFormat(),
    )
    bucket = connection.create_bucket("boto_2")  # as one could then
    for name in (LARGE, *NAMES):
        key = bucket.new_key(name)
        key.set_metadata("colour", "blue")
        key.set_contents_from_filename(str(tree / name))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        bucket.get_key(name).get_contents_to_filename(str(tmp_path / name))
    there = digests(tree)
    assert digests(tmp_path) == {name: there[name] for name in (LARGE, *NAMES)}
    upload = bucket.initiate_multipart_upload("parts")
    with open(tree / LARGE, "rb") as file:
        for number in range(1, 5):
            upload.upload_part_from_file(file, number, size=LARGE_SIZE // 4)
    upload.complete_upload()
    bucket.copy_key("copy", "boto_2", "parts")
    bucket.get_key("copy").get_contents_to_filename(str(tmp_path / "copy"))
    assert digests(tmp_path)["copy"] == there[LARGE]
    listed = [each.name for each in bucket.list()]
    assert listed == sorted((LARGE, *NAMES, "copy", "parts"), key=str.encode)
    assert bucket.get_key("plain").get_metadata("colour") == "blue"
    bucket.delete_keys(listed)
    bucket.delete()


@pytest.mark.parametrize("old", [False, True], ids=["version 4", "version 2"])
def test_s3cmd(daemon: ObjectstoreDaemon, tree: Path, tmp_path: Path, old: bool) -> None:
    """s3cmd syncs a tree there and back, and then finds nothing to do."""
    host = f"127.0.0.1:{daemon.port}"
    configuration = tmp_path / "s3cfg"
    configuration.write_text(
        f"[default]\naccess_key = {ACCESS}\nsecret_key = {SECRET}\nhost_base = {host}\n"
        f"host_bucket = {host}\nuse_https = False\nsignature_v2 = {old}\n"
    )
    s3cmd = Program([needed("s3cmd"), f"--config={configuration}", "--no-progress"], {})
    back = tmp_path / "back"
    s3cmd("mb", "s3://s3cmd")
    s3cmd("sync", f"{tree}/", "s3://s3cmd/tree/")
    back.mkdir()
    s3cmd("sync", "s3://s3cmd/tree/", f"{back}/")
    assert digests(back) == digests(tree)
    assert "upload" not in s3cmd("sync", f"{tree}/", "s3://s3cmd/tree/")
    assert "download" not in s3cmd("sync", "s3://s3cmd/tree/", f"{back}/")
    assert f"{LARGE_SIZE}" in s3cmd("info", f"s3://s3cmd/tree/{LARGE}")
    s3cmd("cp", "s3://s3cmd/tree/plain", "s3://s3cmd/copy")
    s3cmd("setacl", "--acl-public", "s3://s3cmd/copy")
    assert "anon" in s3cmd("info", "s3://s3cmd/copy")
    s3cmd("del", "--recursive", "--force", "s3://s3cmd")
    assert s3cmd("ls", "s3://s3cmd") == ""
    s3cmd("rb", "s3://s3cmd")


@pytest.mark.parametrize("cutoff", ["1G", "20M"], ids=["whole", "in parts"])
def test_rclone(daemon: ObjectstoreDaemon, tree: Path, tmp_path: Path, cutoff: str) -> None:
    """rclone syncs a tree there and back, and its checks are clean both ways."""
    configuration = tmp_path / "rclone.conf"
    configuration.write_text(
        f"[nova]\ntype = s3\nprovider = Other\nendpoint = http://127.0.0.1:{daemon.port}\n"
        f"access_key_id = {ACCESS}\nsecret_access_key = {SECRET}\n"
    )
    rclone = Program(
        [needed("rclone"), f"--config={configuration}", f"--s3-upload-cutoff={cutoff}"], {}
    )
    there, back = "nova:rclone/tree", str(tmp_path / "back")
    rclone("sync", str(tree), there)
    assert_clean(rclone, str(tree), there)
    rclone("sync", there, back)
    assert_clean(rclone, there, back)
    assert digests(Path(back)) == digests(tree)
    for source, target in ((str(tree), there), (there, back)):
        assert "There was nothing to transfer" in rclone("sync", "-v", source, target)
    assert LARGE in rclone("lsf", "-R", there)
    rclone("purge", "nova:rclone")
    assert rclone("lsd", "nova:") == ""


def assert_clean(rclone: Callable[..., str], one: str, other: str) -> None:
    """See that C{rclone check} finds the same in both, by the digest of each, and byte for byte."""
    for how in ((), ("--download",)):
        said = rclone("check", *how, one, other)
        assert "0 differences found" in said
        assert "could not be checked" not in said
