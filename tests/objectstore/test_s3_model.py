"""Random requests of random keys, to the objectstore and to a dictionary: they do not differ."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from nova_tx.objectstore import uploads
from nova_tx.testing.s3_door import S3Door

#: Interleavings to try; many more than these at leisure.
EXAMPLES = int(os.environ.get("NOVA_TX_TEST_EXAMPLES", "40"))
BUCKET = {"Bucket": "bucket"}

#: What a key has that could be taken for something else than a character of it.
_PIECES = st.sampled_from(
    (
        *("a", "b", "A", "~", "=", "+", "%", "%2F", "%00", "/", "//", "/", ".", "..", "../", "./"),
        *(" ", "\\", "?", "&", "#", ";", "*", "'", '"', "<", ">", "\u00fc", "\u65e5", "\U0001f600"),
        *("e\u0301", "\ufffd", "\ue000", "\u2028", "\x7f", "\x85", "bucket.json", ".new", "x" * 64),
    )
)
#: XML has no way to write these.
_CONTROLS = st.sampled_from(("\0", "\x01", "\x08", "\x1b", "\x1f", "\ufffe", "\uffff"))
_BLANKS = st.sampled_from(("\t", "\n", "\r"))


def _joined(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(pieces, min_size=1, max_size=6).map("".join)


def _longest(text: str) -> str:
    """As many bytes of it as a key can have."""
    return (text * 1024).encode()[:1024].decode(errors="ignore")


XML_KEYS = _joined(_PIECES | _BLANKS) | _joined(_PIECES).map(_longest)
KEYS = XML_KEYS | _joined(_PIECES | _BLANKS | _CONTROLS)
CONTENTS = (
    st.binary(max_size=9)
    | st.binary(min_size=1, max_size=40)
    | st.integers(0, 2**16 - 1).map(lambda size: b"\xa5" * size)
)
PLACES = st.integers(1, 40) | st.integers(1, 2**16)
METADATA = st.dictionaries(
    st.text("abc-", min_size=1, max_size=5).filter(lambda name: name.strip("-") == name),
    st.text("xyz 0=;", min_size=1, max_size=9).map(lambda value: f"v{value}v"),
    max_size=2,
)


@dataclass(frozen=True)
class Known:
    """An object, as it should be."""

    content: bytes
    metadata: dict[str, str]
    sizes: tuple[int, ...] = ()
    etags: tuple[bytes, ...] = ()

    @property
    def etag(self) -> str:
        if not self.sizes:
            return f'"{hashlib.md5(self.content).hexdigest()}"'
        return f'"{hashlib.md5(b"".join(self.etags)).hexdigest()}-{len(self.sizes)}"'


@dataclass
class Begun:
    """An upload in parts, as it should be."""

    key: str
    metadata: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)


def _refused(attempt: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        attempt()
    return str(caught.value.response["Error"]["Code"])


class Interleaving(RuleBasedStateMachine):
    """The objectstore and the dictionary."""

    keys: Bundle[str] = Bundle("keys")
    begun: Bundle[str] = Bundle("begun")

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.door = S3Door(self.directory)
        self.s3 = self.door.client()
        self.s3.create_bucket(**BUCKET)
        self.objects: dict[str, Known] = {}
        self.uploads: dict[str, Begun] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.directory)

    def _of(self, upload: str) -> dict[str, str]:
        return {**BUCKET, "Key": self.uploads[upload].key, "UploadId": upload}

    # Objects.

    @rule(target=keys, key=keys | KEYS, content=CONTENTS, metadata=METADATA)
    def put(self, key: str, content: bytes, metadata: dict[str, str]) -> str:
        made = self.s3.put_object(**BUCKET, Key=key, Body=content, Metadata=metadata)
        self.objects[key] = Known(content, metadata)
        assert made["ETag"] == self.objects[key].etag
        return key

    @rule(key=keys)
    def get(self, key: str) -> None:
        known = self.objects.get(key)
        if known is None:
            assert _refused(lambda: self.s3.get_object(**BUCKET, Key=key)) == "NoSuchKey"
            assert _refused(lambda: self.s3.head_object(**BUCKET, Key=key)) == "404"
            return
        found = self.s3.get_object(**BUCKET, Key=key)
        assert found["Body"].read() == known.content
        assert (found["ETag"], found["Metadata"]) == (known.etag, known.metadata)
        head = self.s3.head_object(**BUCKET, Key=key)
        assert (head["ContentLength"], head["ETag"]) == (len(known.content), known.etag)

    @rule(key=keys, first=st.integers(0, 9) | PLACES, count=PLACES)
    def get_range(self, key: str, first: int, count: int) -> None:
        known = self.objects.get(key)
        asked = {**BUCKET, "Key": key, "Range": f"bytes={first}-{first + count - 1}"}
        if known is not None and first < len(known.content):
            found = self.s3.get_object(**asked)
            assert found["Body"].read() == known.content[first : first + count]
        else:
            code = "NoSuchKey" if known is None else "InvalidRange"
            assert _refused(lambda: self.s3.get_object(**asked)) == code

    @precondition(lambda self: any(each.sizes for each in self.objects.values()))
    @rule(key=keys, number=st.integers(1, 4))
    def get_part(self, key: str, number: int) -> None:
        known = self.objects.get(key)
        if known is None or known.content == b"":
            return
        asked = {**BUCKET, "Key": key, "PartNumber": number}
        sizes = known.sizes or (len(known.content),)
        if number > len(sizes):
            assert _refused(lambda: self.s3.get_object(**asked)) == "InvalidPartNumber"
        elif sizes[number - 1]:
            first = sum(sizes[: number - 1])
            found = self.s3.get_object(**asked)
            assert found["Body"].read() == known.content[first : first + sizes[number - 1]]
            assert found.get("PartsCount") == (len(known.sizes) or None)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.s3.delete_object(**BUCKET, Key=key)
        self.objects.pop(key, None)

    @rule(some=st.lists(keys, min_size=1, max_size=5, unique=True))
    def delete_many(self, some: list[str]) -> None:
        some = [key for key in some if not set(key) & set("\0\x01\x08\x1b\x1f\ufffe\uffff")]
        if some:
            asked = {"Objects": [{"Key": key} for key in some]}
            found = self.s3.delete_objects(**BUCKET, Delete=asked)
            assert [each["Key"] for each in found["Deleted"]] == some
            for key in some:
                self.objects.pop(key, None)

    @precondition(lambda self: self.objects)
    @rule(target=keys, source=keys, key=keys | KEYS, metadata=st.none() | METADATA)
    def copy(self, source: str, key: str, metadata: dict[str, str] | None) -> Any:
        known = self.objects.get(source)
        asked: dict[str, Any] = {**BUCKET, "Key": key, "CopySource": {**BUCKET, "Key": source}}
        if metadata is not None:
            asked |= {"MetadataDirective": "REPLACE", "Metadata": metadata}
        if metadata is None and key == source:
            assert _refused(lambda: self.s3.copy_object(**asked)) == "InvalidRequest"
        elif known is None:
            assert _refused(lambda: self.s3.copy_object(**asked)) == "NoSuchKey"
        else:
            kept = known.metadata if metadata is None else metadata
            made = self.s3.copy_object(**asked)["CopyObjectResult"]
            self.objects[key] = Known(known.content, kept)
            assert made["ETag"] == self.objects[key].etag
            return key
        return multiple()

    # Objects in parts.

    @rule(target=begun, key=keys | KEYS, metadata=METADATA)
    def begin(self, key: str, metadata: dict[str, str]) -> str:
        made = self.s3.create_multipart_upload(**BUCKET, Key=key, Metadata=metadata)
        self.uploads[made["UploadId"]] = Begun(key, metadata)
        return str(made["UploadId"])

    @rule(
        target=keys,
        key=KEYS,
        metadata=METADATA,
        contents=st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=4),
        data=st.data(),
    )
    def upload_whole(
        self, key: str, metadata: dict[str, str], contents: list[bytes], data: st.DataObject
    ) -> str:
        upload = self.begin(key, metadata)
        parts = list(enumerate(contents, 1))
        self.upload_parts(upload, data.draw(st.permutations(parts)))
        self._complete(upload, [number for number, _ in parts])
        return key

    @precondition(lambda self: self.uploads)
    @rule(upload=begun, parts=st.lists(st.tuples(st.integers(1, 4), CONTENTS), max_size=4))
    def upload_parts(self, upload: str, parts: list[tuple[int, bytes]]) -> None:
        for number, content in parts if upload in self.uploads else ():
            made = self.s3.upload_part(**self._of(upload), PartNumber=number, Body=content)
            assert made["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
            self.uploads[upload].parts[number] = content

    @precondition(lambda self: self.objects and self.uploads)
    @rule(upload=begun, number=st.integers(1, 4), source=keys, cut=st.booleans())
    def copy_part(self, upload: str, number: int, source: str, cut: bool) -> None:
        if upload not in self.uploads:
            return
        known = self.objects.get(source)
        copied: dict[str, Any] = {"CopySource": {**BUCKET, "Key": source}}
        if known is None:
            assert (
                _refused(
                    lambda: self.s3.upload_part_copy(
                        **self._of(upload), PartNumber=number, **copied
                    )
                )
                == "NoSuchKey"
            )
            return
        content = known.content
        if cut and len(content) > 2:
            copied["CopySourceRange"] = f"bytes=1-{len(content) - 2}"
            content = content[1:-1]
        self.s3.upload_part_copy(**self._of(upload), PartNumber=number, **copied)
        self.uploads[upload].parts[number] = content

    @precondition(lambda self: any(each.parts for each in self.uploads.values()))
    @rule(upload=begun, data=st.data())
    def complete(self, upload: str, data: st.DataObject) -> None:
        known = self.uploads.get(upload)
        if known is None:
            return
        there = st.sets(st.sampled_from(sorted(known.parts) or [1]), min_size=1).map(sorted)
        numbers = data.draw(there | there | st.lists(st.integers(1, 4), min_size=1, max_size=4))
        self._complete(upload, numbers)

    def _complete(self, upload: str, numbers: list[int]) -> None:
        known = self.uploads[upload]
        contents = [known.parts.get(number) for number in numbers]
        parts = [
            {"PartNumber": number, "ETag": hashlib.md5(content or b"").hexdigest()}
            for number, content in zip(numbers, contents, strict=True)
        ]
        asked = {**self._of(upload), "MultipartUpload": {"Parts": parts}}
        found = [content for content in contents if content is not None]
        code = ""
        if sorted(set(numbers)) != numbers:
            code = "InvalidPartOrder"
        elif len(found) < len(contents):
            code = "InvalidPart"
        elif b"" in found[:-1]:
            code = "EntityTooSmall"
        if code:
            assert _refused(lambda: self.s3.complete_multipart_upload(**asked)) == code
            return
        made = self.s3.complete_multipart_upload(**asked)
        self.objects[known.key] = Known(
            b"".join(found),
            known.metadata,
            tuple(map(len, found)),
            tuple(hashlib.md5(each).digest() for each in found),
        )
        assert made["ETag"] == self.objects[known.key].etag
        del self.uploads[upload]

    @rule(upload=begun)
    def abort(self, upload: str) -> None:
        if upload in self.uploads:
            of = self._of(upload)
            self.s3.abort_multipart_upload(**of)
            del self.uploads[upload]
            assert _refused(lambda: self.s3.list_parts(**of)) == "NoSuchUpload"

    # All of it.

    @rule()
    def restart(self) -> None:
        self.door.begin()

    @rule(
        version=st.sampled_from(("list_objects", "list_objects_v2")),
        prefix=st.just("") | KEYS.map(lambda key: key[:3]),
        delimiter=st.sampled_from(("", "/", "//", ".", "\u00fc", "a")),
        size=st.integers(1, 5),
    )
    def list(self, version: str, prefix: str, delimiter: str, size: int) -> None:
        asked = {**BUCKET, "Prefix": prefix, "Delimiter": delimiter}
        paginator = self.s3.get_paginator(version)
        keys, prefixes = [], []
        for page in paginator.paginate(**asked, PaginationConfig={"PageSize": size}):
            there = page.get("Contents", [])
            assert len(there) + len(page.get("CommonPrefixes", [])) <= size
            for each in there:
                known = self.objects[each["Key"]]
                assert (each["Size"], each["ETag"]) == (len(known.content), known.etag)
            keys += [each["Key"] for each in there]
            prefixes += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        assert (keys, prefixes) == _listed(self.objects, prefix, delimiter)

    @precondition(lambda self: self.uploads)
    @rule(delimiter=st.sampled_from(("", "/", "a")), size=st.integers(1, 3))
    def list_uploads(self, delimiter: str, size: int) -> None:
        found, prefixes = [], []
        asked: dict[str, Any] = {**BUCKET, "Delimiter": delimiter, "EncodingType": "url"}
        more = True
        while more:
            page = self.s3.list_multipart_uploads(**asked, MaxUploads=size)
            found += [(unquote(it["Key"]), it["UploadId"]) for it in page.get("Uploads", [])]
            prefixes += [unquote(it["Prefix"]) for it in page.get("CommonPrefixes", [])]
            more = page["IsTruncated"]
            if more:
                asked["KeyMarker"] = unquote(page["NextKeyMarker"])
                asked["UploadIdMarker"] = page["NextUploadIdMarker"]
        keys, expected = _listed({each.key for each in self.uploads.values()}, "", delimiter)
        assert prefixes == expected
        assert found == [
            (key, upload)
            for key in keys
            for upload, known in self.uploads.items()
            if known.key == key
        ]
        for upload, known in self.uploads.items():
            parts = self.s3.list_parts(**self._of(upload)).get("Parts", [])
            assert [(each["PartNumber"], each["Size"]) for each in parts] == [
                (number, len(content)) for number, content in sorted(known.parts.items())
            ]

    @invariant()
    def nothing_is_left(self) -> None:
        """What is not there yet is only there while it comes."""
        if hasattr(self, "directory"):
            with suppress(FileNotFoundError):
                assert os.listdir(self.directory / "buckets" / ".new") == []


def _listed(keys: Any, prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
    found, prefixes = [], []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            if at < 0:
                found.append(key)
            elif key[: at + len(delimiter)] not in prefixes:
                prefixes.append(key[: at + len(delimiter)])
    return found, prefixes


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Parts need not be of megabytes, but of a byte."""
    monkeypatch.setattr(uploads, "SMALLEST_PART", 1)
    yield


def test_the_objectstore_is_a_dictionary() -> None:
    """After any requests in any order the objectstore has what a dictionary would have."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Interleaving,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
