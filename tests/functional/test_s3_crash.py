"""
Writers that put, overwrite, upload in parts, copy and delete, while the objectstore is killed.

What was acknowledged is there, what was not is there whole or not at all, and nothing else is.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from nova_tx.objectstore.disk.check import Check
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, kill_one

WRITERS, KEYS, KILLS = 8, 6, 50
PART = 5 * 2**20
#: Sizes below and above what is written together, and of parts.
SIZES = (0, 1000, 65_536, 65_537, 700_000)
#: What is behind a key: the SHA-256 of its bytes, or nothing.
State = str | None


class Killed(Exception):
    """No answer: it may have been done, or not."""


class Writer(threading.Thread):
    """
    Works on keys of its own.

    @ivar states: of each key, what may be there: one state, or two after a request without answer.
    @ivar done: requests that were answered.
    """

    def __init__(self, daemon: ObjectstoreDaemon, number: int) -> None:
        super().__init__()
        self._daemon = daemon
        self._random = random.Random(number)
        self._client = daemon.s3()
        self._name = f"writer{number}"
        self.states: dict[str, set[State]] = {f"{self._name}/{n}": {None} for n in range(KEYS)}
        self.faults: list[str] = []
        self.done = self.unanswered = 0
        self.ending = threading.Event()
        self.up = threading.Event()

    def run(self) -> None:
        with closing(self._client):
            while not self.ending.is_set():
                key = self._random.choice(list(self.states))
                try:
                    self._work(key)
                except Killed:
                    self.unanswered += 1
                    self._settle(key)
                except AssertionError as fault:
                    self.faults.append(f"{key}: {fault}")
                    return
            for key in self.states:
                self._settle(key)

    def _work(self, key: str) -> None:
        kind = self._random.choice(("put", "put", "put", "parts", "copy", "delete"))
        content = self._random.randbytes(self._random.choice(SIZES))
        if kind == "delete":
            self._change(key, None, "delete_object")
        elif kind == "put":
            self._change(key, _state(content), "put_object", Body=content)
        elif kind == "parts":
            self._parts(key, self._random.randbytes(PART), content or b"the last")
        else:
            source = self._random.choice(list(self.states))
            [there] = self.states[source]
            if there is not None and source != key:
                origin = {"Bucket": "bucket", "Key": source}
                self._change(key, there, "copy_object", CopySource=origin)

    def _parts(self, key: str, *contents: bytes) -> None:
        made = self._ask("create_multipart_upload", Bucket="bucket", Key=key)
        upload = {"Bucket": "bucket", "Key": key, "UploadId": made["UploadId"]}
        parts = []
        for number, content in enumerate(contents, 1):
            part = self._ask("upload_part", **upload, PartNumber=number, Body=content)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        if self._random.random() < 0.2:
            self._ask("abort_multipart_upload", **upload)
            return
        self._change(
            key,
            _state(b"".join(contents)),
            "complete_multipart_upload",
            UploadId=made["UploadId"],
            MultipartUpload={"Parts": parts},
        )

    def _change(self, key: str, state: State, operation: str, **said: Any) -> None:
        """What makes of a key what it is to be."""
        self.states[key].add(state)
        answer = self._ask(operation, Bucket="bucket", Key=key, **said)
        assert "Error" not in answer, answer
        self.states[key] = {state}

    def _ask(self, operation: str, **said: Any) -> Any:
        try:
            answer = getattr(self._client, operation)(**said)
        except BotoCoreError as error:
            raise Killed from error
        except ClientError as error:
            # an answer that says no is as bad as a lie here
            raise AssertionError(f"{operation}: {error}") from error
        self.done += 1
        return answer

    def _settle(self, key: str) -> None:
        """See what is there; it must be something that may be."""
        while True:
            self.up.wait(120)
            try:
                found = self._look(key)
                break
            except (BotoCoreError, ConnectionError):
                continue
        if found not in self.states[key]:
            self.faults.append(f"{key} is {found}, and not of {self.states[key]}")
        self.states[key] = {found}

    def _look(self, key: str) -> State:
        try:
            return _state(self._client.get_object(Bucket="bucket", Key=key)["Body"].read())
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey", error
            return None


def _state(content: bytes) -> State:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def daemon(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectstoreDaemon]:
    made = ObjectstoreDaemon(tmp_path, f"--objectstore_workers={request.param}")
    try:
        made.start()
        made.s3().create_bucket(Bucket="bucket")
        yield made
    finally:
        made.close()


def test_killed_all_the_time(daemon: ObjectstoreDaemon) -> None:
    """What was acknowledged survives 50 deaths bit for bit, and nothing half-written is seen."""
    chance = random.Random(0)
    writers = [Writer(daemon, number) for number in range(WRITERS)]
    for each in writers:
        each.up.set()
        each.start()
    moment = threading.Event()
    for number in range(KILLS):
        moment.wait(chance.uniform(0.05, 0.6))
        mates = daemon.mates()
        if mates and number % 2:
            kill_one(mates[0])  # the first one starts another
            continue
        for each in writers:
            each.up.clear()
        daemon.kill()
        daemon.start()
        for each in writers:
            each.up.set()
    for each in writers:
        each.ending.set()
    for each in writers:
        each.join(300)
    assert [fault for each in writers for fault in each.faults] == []
    assert all(each.done > 20 for each in writers)
    assert sum(each.unanswered for each in writers) >= KILLS // 2
    expected = {k: s for each in writers for k, [s] in each.states.items() if s is not None}
    assert expected
    _end(daemon, expected)


def _end(daemon: ObjectstoreDaemon, expected: dict[str, State]) -> None:
    """After one more start: what is expected is there, is listed, and is all there is."""
    daemon.kill()
    daemon.start()
    client = daemon.s3()
    listed = client.list_objects_v2(Bucket="bucket").get("Contents", [])
    assert {each["Key"] for each in listed} == set(expected)
    for each in listed:
        found = client.get_object(Bucket="bucket", Key=each["Key"])
        content = found["Body"].read()
        assert _state(content) == expected[each["Key"]]
        assert (each["Size"], each["ETag"]) == (len(content), found["ETag"])
    _whole(daemon)
    for each in client.list_multipart_uploads(Bucket="bucket").get("Uploads", []):
        client.abort_multipart_upload(Bucket="bucket", Key=each["Key"], UploadId=each["UploadId"])
    for key in expected:
        client.delete_object(Bucket="bucket", Key=key)
    _whole(daemon)
    client.delete_bucket(Bucket="bucket")
    client.close()
    assert daemon.stop() == 0
    left = (daemon.directory / "buckets").rglob("*")
    assert {each.name for each in left} <= {".new", ".names", ".changes"}


def _whole(daemon: ObjectstoreDaemon) -> None:
    """Every byte is as it was stored, and nothing lies about."""
    check = Check(str(daemon.directory / "buckets"), old=0.0)
    assert list(check.run()) == []
