"""A look at all that is kept: damage is named, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nova_tx.objectstore.composites import composite, etag_of
from nova_tx.objectstore.disk.check import Check, size_of
from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.disk.uploads import UploadFiles
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.uploads import Chosen, Completion, Upload

CONTENT = os.urandom(100_000)
LONG = "long/" * 40


def _facts(content: bytes) -> Facts:
    crc = base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
    etag = hashlib.md5(content).hexdigest()
    return Facts(len(content), etag, 1.0, {}, {"crc32": crc})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A bucket with an object, one with a long key, one that was changed, one of parts."""
    found = Store(str(tmp_path / "buckets"))
    found.prepare()
    found.create(Bucket("bucket", "joe", 0.0))
    for key in ("key", LONG, "changed"):
        assert found.put([New("bucket", key, CONTENT, _facts(CONTENT))]) == [None]
    found.change("bucket", "changed", lambda now: replace(now, tags={"a": "b"}))
    uploads = UploadFiles(found)
    upload = uploads.begin(
        "bucket", Upload("parts", 0.0, algorithm="crc32", checksum_type="COMPOSITE")
    )
    contents = [os.urandom(5 * 2**20), b"the last"]
    facts = [_facts(each) for each in contents]
    for number, content in enumerate(contents):
        uploads.put("bucket", "parts", upload.id, number + 1, content, facts[number])
    chosen = [Chosen(n + 1, each.etag, each.checksums) for n, each in enumerate(facts)]
    made = uploads.complete("bucket", "parts", upload.id, Completion(tuple(chosen)), None)
    assert made.etag == etag_of([each.etag for each in facts])
    assert made.checksums == {"crc32": composite("crc32", [x.checksums["crc32"] for x in facts])}
    going = uploads.begin("bucket", Upload("going", 0.0))
    uploads.put("bucket", "going", going.id, 7, b"a part", _facts(b"a part"))
    return found


def _check(store: Store, tmp_path: Path, old: float = 0.0) -> list[tuple[str, bool]]:
    return [(each.where, each.damage) for each in Check(str(tmp_path / "buckets"), old=old).run()]


def test_whole(store: Store, tmp_path: Path) -> None:
    """Of what is as it was stored nothing is said, and all of it was read, and nothing changed."""
    path = str(tmp_path / "buckets")
    before = {each: each.stat().st_mtime_ns for each in Path(path).rglob("*")}
    read: list[int] = []
    check = Check(path, read.append, old=0.0)
    assert list(check.run()) == []
    assert (check.counts.buckets, check.counts.objects, check.counts.uploads) == (1, 4, 1)
    assert check.counts.read == read[-1] == 3 * len(CONTENT) + 5 * 2**20 + 8 + 6
    assert read == sorted(read) and read[-1] < size_of(path)
    assert {each: each.stat().st_mtime_ns for each in Path(path).rglob("*")} == before


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _objects(tmp_path: Path) -> Path:
    return tmp_path / "buckets" / "bucket" / "objects"


@pytest.mark.parametrize(
    ("spoil", "where"),
    [
        (lambda top: _flip(top / "=key", 50_000), "bucket/key"),
        (lambda top: _flip(top / "=key", -30), "bucket/key"),
        (lambda top: _flip(top / "=key", -1), "bucket/key"),
        (lambda top: os.truncate(top / "=key", 1000), "bucket/key"),
        (lambda top: os.truncate(top / "=key", 0), "bucket/key"),
        (lambda top: _flip(top / "~changed", 5), "bucket/changed"),
        (lambda top: _flip(next(top.glob("+*/+*/+*/=*")), 5), f"bucket/{LONG}"),
        (lambda top: _flip(top / "=parts", 5 * 2**20 + 1), "bucket/parts"),
        (lambda top: _flip(next((top.parent / "uploads").rglob("data")), 3), "bucket/going"),
        (lambda top: (top / "=key").rename(top / "=k%45y"), "bucket/objects/=k%45y"),
        (lambda top: (top.parent / "bucket.json").unlink(), "bucket"),
        (lambda top: (top.parent / "bucket.json").write_text("{"), "bucket"),
        (lambda top: (top / "=key").rename(top / "=other"), None),
    ],
)
def test_damage(
    store: Store, tmp_path: Path, spoil: Callable[[Path], object], where: str | None
) -> None:
    """Whatever byte is another, what it belongs to is named."""
    spoil(_objects(tmp_path))
    assert _check(store, tmp_path) == ([] if where is None else [(where, True)])


def test_checksum_of_a_collision(store: Store, tmp_path: Path) -> None:
    """Bytes that have the right MD5, and another checksum, are damaged."""
    facts = replace(_facts(b"content"), checksums={"crc32": "AAAAAA=="})
    store.put([New("bucket", "key", b"content", facts)])
    assert _check(store, tmp_path) == [("bucket/key", True)]


def test_checksum_of_tomorrow(store: Store, tmp_path: Path) -> None:
    """A checksum that this version can't compute is passed over, and the rest is looked at."""
    facts = replace(_facts(CONTENT), checksums={"crc128": "AAAA"})
    assert store.put([New("bucket", "later", CONTENT, facts)]) == [None]
    assert _check(store, tmp_path) == []
    facts = replace(facts, etag="0" * 32)
    assert store.put([New("bucket", "later", CONTENT, facts)]) == [None]
    assert _check(store, tmp_path) == [("bucket/later", True)]


def test_leftovers(store: Store, tmp_path: Path) -> None:
    """What only takes room is named as that; what may be somebody's work is not."""
    top = _objects(tmp_path)
    (top / "~gone").write_bytes((top / "~changed").read_bytes())
    (top / "+empty").mkdir()
    (top / "stray").touch()
    (top.parent / "other").touch()
    new = tmp_path / "buckets" / ".new"
    (new / "begun").touch()
    (new / "of-a-process").mkdir()
    ended = next((top.parent / "uploads").rglob("data")).parent
    (ended / "data").unlink()
    expected = {
        "bucket/objects/~gone",
        "bucket/objects/+empty",
        "bucket/objects/stray",
        "bucket/other",
        f"bucket/uploads/=going/{ended.name}",
    }
    assert dict(_check(store, tmp_path)) == dict.fromkeys((*expected, ".new/begun"), False)
    assert set(dict(_check(store, tmp_path, old=3600.0))) == expected
    os.utime(new / "begun", (time.time() - 7200,) * 2)
    assert ".new/begun" in dict(_check(store, tmp_path, old=3600.0))


def test_meanwhile(store: Store, tmp_path: Path) -> None:
    """What is replaced or removed while it is looked at is no damage, and no leftover."""
    path = str(tmp_path / "buckets")
    work = iter(
        [
            lambda: store.remove("bucket", "changed"),
            lambda: store.put([New("bucket", "key", b"new", _facts(b"new"))]),
            lambda: store.remove("bucket", LONG),
            lambda: store.remove("bucket", "parts"),
        ]
    )
    check = Check(path, lambda count: next(work, lambda: None)())
    assert list(check.run()) == []


def test_no_store(tmp_path: Path) -> None:
    """A store in which nothing was ever kept is whole."""
    (tmp_path / "buckets").mkdir()
    assert list(Check(str(tmp_path / "buckets")).run()) == []
