"""Buckets and objects in the file system."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.disk.files import pieces, runs_of
from nova_tx.objectstore.disk.paths import path_of
from nova_tx.objectstore.disk.store import Look, New, Store
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import (
    BucketAlreadyExists,
    BucketNotEmpty,
    Damaged,
    InvalidBucketName,
    KeyTooLong,
    PreconditionFailed,
)
from nova_tx.testing.objectstore import put


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(str(tmp_path / "buckets"))
    found.prepare()
    found.create(Bucket("bucket", "joe", 0.0))
    return found


def _get(store: Store, key: str) -> bytes:
    file, facts = store.open("bucket", key)
    return b"".join(pieces(file, runs_of(file, facts)))


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".new", "a/b", "_images", "a" * 256, "ü", "a\n", "-a", "a b"]
)
def test_bucket_names(store: Store, name: str) -> None:
    """A name that could be a path, or ours, is no bucket's."""
    with pytest.raises(InvalidBucketName):
        store.create(Bucket(name, "joe", 0.0))
    with pytest.raises(InvalidBucketName):
        store.bucket(name)


def test_bucket(store: Store) -> None:
    """A bucket is its maker's, once, until it is removed."""
    first = store.bucket("bucket")
    assert store.create(Bucket("bucket", "joe", 0.0)) == first
    with pytest.raises(BucketAlreadyExists):
        store.create(Bucket("bucket", "eve", 0.0))
    assert store.buckets() == (first,)
    store.remove_bucket("bucket")
    assert store.buckets() == ()
    with pytest.raises(BucketNotFound):
        store.remove_bucket("bucket")
    assert store.create(Bucket("bucket", "eve", 0.0)).owner == "eve"


@pytest.mark.parametrize("key", [".", "..", "bucket.json", "a/../../b", "k" * 64, "k" * 1024, "\0"])
def test_keys(store: Store, tmp_path: Path, key: str) -> None:
    """A key of any text is one object, in its bucket's directory."""
    put(store, "bucket", key, b"content")
    assert _get(store, key) == b"content"
    with pytest.raises(BucketNotEmpty):
        store.remove_bucket("bucket")
    files = [each for each in (tmp_path / "buckets").rglob("*") if each.is_file()]
    objects = tmp_path / "buckets" / "bucket" / "objects"
    assert [each for each in files if not each.is_relative_to(objects)] == [
        tmp_path / "buckets" / "bucket" / "bucket.json"
    ]
    store.remove("bucket", key)
    with pytest.raises(KeyNotFound):
        store.open("bucket", key)
    store.remove("bucket", key)
    assert list(objects.iterdir()) == []
    store.remove_bucket("bucket")


def test_file_names() -> None:
    """Every key's path is short enough for a file system, and no other key's."""
    keys = [b"a" * n for n in range(1, 1025)] + [b"\xff" * 1024, b"%61", b"a%61", b"=", b"+"]
    paths = [path_of(key) for key in keys]
    assert len(set(paths)) == len(keys)
    assert max(len(piece) for path in paths for piece in path) < 255


def test_long_key(store: Store) -> None:
    """A key has at most 1024 bytes."""
    with pytest.raises(KeyTooLong):
        store.open("bucket", "ü" * 513)


def test_replaced(store: Store) -> None:
    """Who reads an object while it is replaced reads the old one to its end."""
    put(store, "bucket", "key", b"old content")
    file, facts = store.open("bucket", "key")
    put(store, "bucket", "key", b"new")
    assert b"".join(pieces(file, runs_of(file, facts))) == b"old content"
    assert _get(store, "key") == b"new"


def test_held(store: Store) -> None:
    """What is replaced stays whole, its room taken, until who holds it lets go."""
    assert store.held("bucket", "key") is None
    put(store, "bucket", "key", b"old")
    held = store.held("bucket", "key")
    assert held is not None
    put(store, "bucket", "key", b"new")
    assert os.pread(held, 3, 0) == b"old" and os.fstat(held).st_nlink == 0
    os.close(held)
    assert _get(store, "key") == b"new"


def test_aborted(store: Store, tmp_path: Path) -> None:
    """An upload that was not committed leaves nothing."""
    path, file = store.begin()
    file.write(b"x")
    store.abort(path, file)
    assert list((tmp_path / "buckets" / ".new").iterdir()) == []


def test_written_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small object is whole though the kernel takes a few bytes at a time."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:5]))
    facts = Facts(12, "0" * 32, 0.0, {}, {})
    assert store.put([New("bucket", "key", b"some content", facts)]) == [None]
    assert _get(store, "key") == b"some content"


def test_not_written(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small object for which there is no room leaves nothing, and says why."""

    def write(descriptor: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", write)
    facts = Facts(1, "0" * 32, 0.0, {}, {})
    [reason] = store.put([New("bucket", "key", b"x", facts)])
    assert isinstance(reason, OSError) and reason.errno == errno.ENOSPC
    assert list((tmp_path / "buckets" / ".new").iterdir()) == []


def test_bucket_gone(store: Store) -> None:
    """An upload into a bucket that was removed meanwhile fails, and does not bring it back."""
    path, file = store.begin()
    store.remove_bucket("bucket")
    with pytest.raises(BucketNotFound):
        store.commit(path, file, "bucket", "key", Facts(0, "", 0.0, {}, {}))
    store.abort(path, file)
    assert store.buckets() == ()


def test_leftovers(store: Store, tmp_path: Path) -> None:
    """What a killed process left unfinished is removed at the next start; objects stay."""
    put(store, "bucket", "key", b"content")
    _, file = store.begin()
    file.close()
    store.prepare()
    assert list((tmp_path / "buckets" / ".new").iterdir()) == []
    assert _get(store, "key") == b"content"


def test_facts(store: Store) -> None:
    """What is known of an object comes back with it."""
    path, file = store.begin()
    file.write(b"content")
    etag = hashlib.md5(b"content").hexdigest()
    facts = Facts(7, etag, 1.5, {"x-amz-meta-a": "ü"}, {"crc32": "AAAA"})
    store.commit(path, file, "bucket", "key", facts)
    file, found = store.open("bucket", "key")
    file.close()
    assert found == facts


def test_changes(store: Store) -> None:
    """What is changed of an object stays with it until it is replaced, and no longer."""
    put(store, "bucket", "key", b"content", 1.0)
    given = (("eve", "READ"),)
    changed = store.change("bucket", "key", lambda now: replace(now, grants=given, tags={"a": "b"}))
    file, found = store.open("bucket", "key")
    file.close()
    assert found == changed and (found.grants, found.tags) == (given, {"a": "b"})
    put(store, "bucket", "key", b"content", 2.0)
    file, found = store.open("bucket", "key")
    file.close()
    assert (found.grants, found.tags) == ((), {})


def test_changes_of_nothing(store: Store, tmp_path: Path) -> None:
    """An object that is not there can't be changed; one that was changed leaves nothing."""
    with pytest.raises(KeyNotFound):
        store.change("bucket", "key", lambda now: now)
    put(store, "bucket", "a" * 100, b"content")
    store.change("bucket", "a" * 100, lambda now: replace(now, tags={"a": "b"}))
    store.remove("bucket", "a" * 100)
    assert list((tmp_path / "buckets" / "bucket" / "objects").iterdir()) == []
    assert list((tmp_path / "buckets" / ".new").iterdir()) == []


def test_bucket_changes(store: Store, tmp_path: Path) -> None:
    """What is changed of a bucket is known at the next start."""
    given = {"grants": (("eve", "READ"),), "cors": ({"AllowedMethod": ["GET"]},)}
    changed = store.change_bucket("bucket", lambda now: replace(now, **given))
    assert store.bucket("bucket") == changed == Store(str(tmp_path / "buckets")).bucket("bucket")
    with pytest.raises(BucketNotFound):
        store.change_bucket("other", lambda now: now)


def test_conditions(store: Store) -> None:
    """A condition sees what is there at the moment of the change, and prevents it."""
    seen: list[Facts | None] = []

    def refuse(now: Facts | None) -> None:
        seen.append(now)
        raise PreconditionFailed("no")

    path, file = store.begin()
    with pytest.raises(PreconditionFailed):
        store.commit(path, file, "bucket", "key", Facts(0, "", 0.0, {}, {}), refuse)
    store.abort(path, file)
    put(store, "bucket", "key", b"content")
    with pytest.raises(PreconditionFailed):
        store.remove("bucket", "key", refuse)
    assert _get(store, "key") == b"content"
    assert [each and each.size for each in seen] == [None, 7]


def test_condition_on_a_bucket_that_goes(store: Store) -> None:
    """A conditional upload into a bucket that was removed meanwhile fails, and holds nobody up."""
    path, file = store.begin()
    store.remove_bucket("bucket")
    facts = Facts(0, "", 0.0, {}, {})
    with pytest.raises(BucketNotFound):
        store.commit(path, file, "bucket", "key", facts, lambda now: None)
    store.create(Bucket("bucket", "eve", 0.0))


def _file(tmp_path: Path, name: str = "=key") -> Path:
    return tmp_path / "buckets" / "bucket" / "objects" / name


def _spoil(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("keep", [0, 5, 20, -1])
def test_cut_short(store: Store, tmp_path: Path, keep: int) -> None:
    """A file that lost its end is an error that names the object, and no shorter object."""
    put(store, "bucket", "key", b"content" * 10)
    path = _file(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Damaged, match="bucket/key"):
        store.look("bucket", "key")
    put(store, "bucket", "key", b"new")
    assert _get(store, "key") == b"new"


def test_garbled(store: Store, tmp_path: Path, logged_errors: Any) -> None:
    """An object whose facts, or changes, are not as they were written is not sent as if it were."""
    put(store, "bucket", "key", b"content")
    _spoil(_file(tmp_path), b'"size": 7', b'"size": 5')
    with pytest.raises(Damaged, match="bucket/key"):
        store.look("bucket", "key")
    put(store, "bucket", "other", b"content")
    store.change("bucket", "other", lambda now: replace(now, grants=(("eve", "READ"),)))
    _spoil(_file(tmp_path, "~other"), b"eve", b"ann")
    with pytest.raises(Damaged, match="bucket/other"):
        store.look("bucket", "other")
    listed = store.listing("bucket", "", "", "", 10).objects
    assert [(key, facts.etag) for key, facts in listed] == [("key", ""), ("other", "")]
    assert len(logged_errors.flush()) == 2
    for key in ("key", "other"):
        store.remove("bucket", key)
    store.remove_bucket("bucket")


def test_garbled_bucket(store: Store, tmp_path: Path, logged_errors: Any) -> None:
    """A bucket whose file can't be read is an error that names it, and hinders no other bucket."""
    other = store.create(Bucket("other", "joe", 0.0))
    (tmp_path / "buckets" / "bucket" / "bucket.json").write_text('{"owner": "jo')
    again = Store(str(tmp_path / "buckets"))
    with pytest.raises(Damaged, match="bucket bucket "):
        again.bucket("bucket")
    assert again.buckets() == (other,)
    assert len(logged_errors.flush()) == 1


def test_without_checksum(store: Store, tmp_path: Path) -> None:
    """An object that was stored before facts had a checksum is read as before."""
    put(store, "bucket", "key", b"content")
    facts = store.look("bucket", "key").facts
    text = json.dumps({"size": 7, "etag": "0" * 32, "modified": 0, "headers": {}, "checksums": {}})
    end = len(text).to_bytes(4, "big") + b"nova-tx1"
    _file(tmp_path).write_bytes(b"content" + text.encode() + end)
    assert store.look("bucket", "key") == Look(facts, ((0, 7),), content=b"content")


def test_kernel_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsync nothing of an object is waited for, with it all is."""
    counts = []
    for sync in (True, False):
        made = Store(str(tmp_path / str(sync)), sync=sync)
        made.prepare()
        made.create(Bucket("bucket", "joe", 0.0))
        synced: list[int] = []
        with monkeypatch.context() as patch:
            for name in ("fsync", "fdatasync"):
                patch.setattr(os, name, synced.append)
            put(made, "bucket", "large", b"content")
            made.put([New("bucket", "small", b"x", Facts(1, "0" * 32, 0.0, {}, {}))])
            made.change("bucket", "small", lambda now: replace(now, tags={"a": "b"}))
            made.remove("bucket", "large")
        counts.append(len(synced))
    assert counts == [7, 0]


def test_change_of_what_goes(store: Store, tmp_path: Path) -> None:
    """A change of an object that is removed meanwhile leaves nothing in its directory."""
    put(store, "bucket", "key", b"content")

    def change(now: Facts) -> Facts:
        store.remove("bucket", "key")
        return now

    with pytest.raises(KeyNotFound):
        store.change("bucket", "key", change)
    assert list(_file(tmp_path).parent.iterdir()) == []


KEYS = ("B", "a", "a/1", "a/2", "a/2/x", "b", "p" * 63, "p" * 64, "p" * 65, "p" * 200, "ü", "日")


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "p" * 64, "p" * 70, "q"])
def test_pages(store: Store, prefix: str, limit: int) -> None:
    """Pages of any length show the keys of a prefix once, in the order of their bytes."""
    for key in KEYS:
        put(store, "bucket", key, b"")
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = store.listing("bucket", prefix, after, "", limit)
        assert len(page.objects) <= limit
        found += [key for key, _ in page.objects]
        after = page.last
    assert found == sorted((key for key in KEYS if key.startswith(prefix)), key=str.encode)


def test_delimiter(store: Store) -> None:
    """Keys that go on after a delimiter are shown as what they have in common."""
    for key in KEYS:
        put(store, "bucket", key, b"")
    page = store.listing("bucket", "", "", "/", 4)
    assert ([key for key, _ in page.objects], page.prefixes) == (["B", "a", "b"], ("a/",))
    page = store.listing("bucket", "a/", "", "/", 1000)
    assert ([key for key, _ in page.objects], page.prefixes) == (["a/1", "a/2"], ("a/2/",))
    assert page.last is None


def test_no_keys(store: Store) -> None:
    """A page of no keys says that there are no more, as S3 does."""
    put(store, "bucket", "key", b"")
    page = store.listing("bucket", "", "", "", 0)
    assert (page.objects, page.last) == ((), None)
