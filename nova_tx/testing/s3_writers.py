"""
Threads that put, overwrite, upload in parts, copy and delete while the objectstore is killed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon
from nova_tx.testing.s3_versions import PART, Version, Versions, etags, told
from nova_tx.testing.s3_witnesses import BUCKET, Deaths, Killed, Reader, Witness, whole

#: Keys of each writer.
_KEYS = 6
#: Sizes below and above what is written together, and of parts.
_SIZES = (0, 1000, 65_536, 65_537, 700_000)


class Writer(Witness):
    """Works on keys of its own."""

    def __init__(
        self, daemon: ObjectstoreDaemon, deaths: Deaths, number: int, versions: Versions, late: bool
    ) -> None:
        super().__init__(daemon, deaths, f"writer{number}")
        self._versions = versions
        self._certain = self._overwrite if late else self._settle
        self._keys = [f"{self.name}/{n}" for n in range(_KEYS)]
        versions.add(self._keys)

    def work(self) -> None:
        while not self.ending.is_set():
            key = self._random.choice(self._keys)
            try:
                self._do(key)
            except Killed:
                self._certain(key)
        for key in self._keys:
            self._settle(key)

    def _do(self, key: str) -> None:
        kind = self._random.choice(("put", "put", "put", "parts", "copy", "delete"))
        content = self._random.randbytes(self._random.choice(_SIZES))
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

    def _overwrite(self, key: str) -> None:
        """Have something else there, whatever it is, and whatever the dead makes of it yet."""
        content = self._random.randbytes(1000)
        while True:
            assert self._deaths.up.wait(120), "it does not come back"
            with suppress(Killed):
                self._change(key, content, "put_object", Body=content)
                return

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


def while_killed(
    daemon: ObjectstoreDaemon,
    writers: int,
    readers: int,
    kills: int,
    kill: Callable[[int], None],
    late: bool = False,
) -> dict[str, bytes]:
    """
    What is behind each key after so many deaths.

    What was acknowledged was always there, what was not was there whole or not at all, and
    nothing else was to be seen at any time.

    @param kill: has the daemon die, and returns when it is there again; it is given the number
        of the death.
    @param late: what it was asked for before may be done afterwards, but not undo what is
        acknowledged then.
    """
    versions, deaths = Versions(), Deaths()
    working = [Writer(daemon, deaths, number, versions, late) for number in range(writers)]
    looking = [Reader(daemon, deaths, number, versions) for number in range(readers)]
    threads = (*working, *looking)
    for each in threads:
        each.start()
    chance, moment = random.Random(0), threading.Event()
    for number in range(kills):
        moment.wait(chance.uniform(0.05, 0.6))
        deaths.begin()
        kill(number)
        deaths.end()
    for each in threads:
        each.ending.set()
    for each in threads:
        each.join(300)
        assert not each.is_alive(), f"{each.name} does not end"
    faults = [fault for each in threads for fault in each.faults]
    assert not faults, faults
    assert all(each.done for each in threads)
    assert sum(each.unanswered for each in working) >= kills // 2
    there = {key: version for key in versions.named() for version in versions.now(key)}
    expected = {key: version for key, version in there.items() if version is not None}
    assert expected
    return expected


def see(client: Any, expected: dict[str, bytes]) -> None:
    """See that what is expected is there, is listed, and is all there is."""
    listed = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert {each["Key"] for each in listed} == set(expected)
    for each in listed:
        found = client.get_object(Bucket=BUCKET, Key=each["Key"])
        content = found["Body"].read()
        assert content == expected[each["Key"]]
        assert (each["Size"], each["ETag"]) == (len(content), found["ETag"])
        assert each["ETag"] in etags(content)


def clear(client: Any, expected: dict[str, bytes]) -> None:
    """Remove all uploads and objects, and the bucket."""
    for each in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"])
    for key in expected:
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)
