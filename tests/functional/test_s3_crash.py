"""
Writers that put, overwrite, upload in parts, copy and delete, and readers of the same keys, while
the objectstore is killed.

What was acknowledged is there, what was not is there whole or not at all, nothing else is, and at
no time was anything else to be seen.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nova_tx.objectstore.disk.check import Check
from nova_tx.testing import dawdling
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, kill_one
from nova_tx.testing.s3_versions import PART, Version, Versions, etags, told
from nova_tx.testing.s3_witnesses import BUCKET, Deaths, Killed, Reader, Witness, whole

WRITERS, READERS, KEYS, KILLS = 8, 3, 6, 50
#: Sizes below and above what is written together, and of parts.
SIZES = (0, 1000, 65_536, 65_537, 700_000)


class Writer(Witness):
    """Works on keys of its own."""

    def __init__(
        self, daemon: ObjectstoreDaemon, deaths: Deaths, number: int, versions: Versions
    ) -> None:
        super().__init__(daemon, deaths, f"writer{number}")
        self._versions = versions
        self._keys = [f"{self.name}/{n}" for n in range(KEYS)]
        versions.add(self._keys)

    def work(self) -> None:
        while not self.ending.is_set():
            key = self._random.choice(self._keys)
            try:
                self._do(key)
            except Killed:
                self._settle(key)
        for key in self._keys:
            self._settle(key)

    def _do(self, key: str) -> None:
        kind = self._random.choice(("put", "put", "put", "parts", "copy", "delete"))
        content = self._random.randbytes(self._random.choice(SIZES))
        if kind == "delete":
            self._change(key, None, "delete_object")
        elif kind == "put":
            self._change(key, content, "put_object", Body=content)
        elif kind == "parts":
            self._parts(key, self._random.randbytes(PART), content or b"the last")
        else:
            source = self._random.choice(self._keys)
            [there] = self._versions.now(source)
            if there is not None and source != key:
                origin = {"Bucket": BUCKET, "Key": source}
                self._change(key, there, "copy_object", CopySource=origin)

    def _parts(self, key: str, *contents: bytes) -> None:
        upload_id = self.ask("create_multipart_upload", Key=key)["UploadId"]
        upload = {"Key": key, "UploadId": upload_id}
        parts = []
        for number, content in enumerate(contents, 1):
            part = self.ask("upload_part", **upload, PartNumber=number, Body=content)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        if self._random.random() < 0.2:
            self.ask("abort_multipart_upload", **upload)
            return
        self._change(
            key,
            b"".join(contents),
            "complete_multipart_upload",
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
        )

    def _change(self, key: str, version: Version, operation: str, **said: Any) -> None:
        """What makes of a key what it is to be."""
        self._versions.may_be(key, version)
        try:
            answer = self.ask(operation, Key=key, **said)
        except ClientError as error:
            # an answer that says no is as bad as a lie here
            raise AssertionError(f"{operation} of {key}: {error}") from error
        assert "Error" not in answer, answer
        self._versions.is_now(key, version)

    def _settle(self, key: str) -> None:
        """See what is there; it must be something that may be."""
        while True:
            assert self._deaths.up.wait(120), "it does not come back"
            try:
                found = whole(self, key)
                break
            except Killed:
                continue
        there = self._versions.now(key)
        assert found in there, f"{key} is {told(found)}, and none of {[*map(told, there)]}"
        self._versions.is_now(key, found)


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectstoreDaemon]:
    flag = f"--objectstore_workers={request.param}"
    made = ObjectstoreDaemon(tmp_path, flag, launch=dawdling.__name__)
    try:
        made.start()
        made.s3().create_bucket(Bucket=BUCKET)
        yield made
    finally:
        made.close()


def test_killed_all_the_time(daemon: ObjectstoreDaemon) -> None:
    """What was acknowledged survives 50 deaths bit for bit; nothing half-written is ever seen."""
    versions, deaths = Versions(), Deaths()
    writers = [Writer(daemon, deaths, number, versions) for number in range(WRITERS)]
    readers = [Reader(daemon, deaths, number, versions) for number in range(READERS)]
    for each in (*writers, *readers):
        each.start()
    _kill_often(daemon, deaths)
    for each in (*writers, *readers):
        each.ending.set()
    for each in (*writers, *readers):
        each.join(300)
        assert not each.is_alive(), f"{each.name} does not end"
    assert [fault for each in (*writers, *readers) for fault in each.faults] == []
    assert all(each.done > 20 for each in writers)
    assert all(min(each.kinds.values()) > 20 for each in readers)
    assert sum(each.unanswered for each in writers) >= KILLS // 2
    there = {key: version for key in versions.named() for version in versions.now(key)}
    expected = {key: version for key, version in there.items() if version is not None}
    assert expected
    _end(daemon, expected)


def _kill_often(daemon: ObjectstoreDaemon, deaths: Deaths) -> None:
    chance, moment = random.Random(0), threading.Event()
    for number in range(KILLS):
        moment.wait(chance.uniform(0.05, 0.6))
        mates = daemon.mates()
        deaths.begin()
        if mates and number % 2:
            kill_one(mates[0])  # the first one starts another
            until(lambda gone=mates[0]: gone not in daemon.mates(), "its end")
        else:
            daemon.kill()
            daemon.start()
        deaths.end()


def _end(daemon: ObjectstoreDaemon, expected: dict[str, bytes]) -> None:
    """After one more start: what is expected is there, is listed, and is all there is."""
    daemon.kill()
    daemon.start()
    client = daemon.s3()
    listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert {each["Key"] for each in listed} == set(expected)
    for each in listed:
        found = client.get_object(Bucket=BUCKET, Key=each["Key"])
        content = found["Body"].read()
        assert content == expected[each["Key"]]
        assert (each["Size"], each["ETag"]) == (len(content), found["ETag"])
        assert each["ETag"] in etags(content)
    _whole(daemon)
    for each in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"])
    for key in expected:
        client.delete_object(Bucket=BUCKET, Key=key)
    _whole(daemon)
    client.delete_bucket(Bucket=BUCKET)
    client.close()
    assert daemon.stop() == 0
    left = (daemon.directory / "buckets").rglob("*")
    assert {each.name for each in left} <= {".new", ".names", ".changes"}


def _whole(daemon: ObjectstoreDaemon) -> None:
    """Every byte is as it was stored, and nothing lies about."""
    check = Check(str(daemon.directory / "buckets"), old=0.0)
    assert list(check.run()) == []
