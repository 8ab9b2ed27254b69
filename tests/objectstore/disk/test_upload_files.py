"""Uploads in parts in the file system."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore import uploads
from nova_tx.objectstore.disk.files import merged, pieces, runs_of, within
from nova_tx.objectstore.disk.store import Store
from nova_tx.objectstore.disk.uploads import UploadFiles
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import EntityTooSmall, NoSuchUpload, PreconditionFailed
from nova_tx.objectstore.uploads import Chosen, Completion, Part, Upload
from nova_tx.testing.objectstore import put

ETAG = "0" * 32
BLOCK = 4096
UPLOAD = Upload("key", 0.0, grants=(("eve", "READ"),), tags={"a": "b"})


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts may have a byte."""
    monkeypatch.setattr(uploads, "SMALLEST_PART", 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(str(tmp_path / "buckets"))
    found.prepare()
    found.create(Bucket("bucket", "joe", 0.0))
    return found


@pytest.fixture
def files(store: Store) -> UploadFiles:
    return UploadFiles(store)


def _facts(size: int) -> Facts:
    return Facts(size, ETAG, 1.0, {}, {})


def _put(files: UploadFiles, upload: Upload, number: int, content: bytes) -> Part:
    return files.put("bucket", upload.key, upload.id, number, content, _facts(len(content)))


def _complete(
    files: UploadFiles,
    upload: Upload,
    *numbers: int,
    condition: Callable[[Facts | None], None] | None = None,
) -> Facts:
    wanted = Completion(tuple(Chosen(number, ETAG, {}) for number in numbers))
    return files.complete("bucket", upload.key, upload.id, wanted, condition)


def _get(store: Store, key: str = "key") -> bytes:
    file, facts = store.open("bucket", key)
    return b"".join(pieces(file, runs_of(file, facts)))


def _left(store: Store) -> list[str]:
    return os.listdir(os.path.join(store.directory("bucket"), "uploads"))


def test_runs() -> None:
    """Bytes of several runs are found where they are; what follows each other is one run."""
    runs = ((100, 3), (0, 2), (50, 4))
    assert within(runs, 0, 9) == runs
    assert within(runs, 2, 2) == ((102, 1), (0, 1))
    assert within(runs, 5, 4) == ((50, 4),)
    assert within(runs, 9, 0) == ()
    assert merged([(0, 2), (2, 3), (9, 0), (9, 1), (0, 2)]) == ((0, 5), (9, 1), (0, 2))
    assert merged([(5, 0)]) == ()


def test_object_of_parts(store: Store, files: UploadFiles) -> None:
    """Parts become the object whatever the order in which they came; others are left out."""
    upload = files.begin("bucket", UPLOAD)
    for number, content in ((3, b"c"), (1, b"wrong"), (2, b"b" * BLOCK), (1, b"a"), (9, b"no")):
        _put(files, upload, number, content)
    with pytest.raises(KeyNotFound):
        store.open("bucket", "key")
    facts = _complete(files, upload, 1, 2, 3)
    assert (facts.size, facts.parts) == (BLOCK + 2, (1, BLOCK, 1))
    assert (facts.grants, facts.tags) == (UPLOAD.grants, UPLOAD.tags)
    assert _get(store) == b"a" + b"b" * BLOCK + b"c"
    file, found = store.open("bucket", "key")
    file.close()
    assert found == facts
    assert _left(store) == []
    assert os.listdir(os.path.dirname(store.unnamed())) == []


@pytest.mark.parametrize("contents", [(b"",), (b"a", b""), (b"ab",)])
def test_small_objects_of_parts(
    store: Store, files: UploadFiles, contents: tuple[bytes, ...]
) -> None:
    """An object may be of one part, and of none of bytes."""
    upload = files.begin("bucket", UPLOAD)
    for number, content in enumerate(contents, 1):
        _put(files, upload, number, content)
    _complete(files, upload, *range(1, len(contents) + 1))
    assert _get(store) == b"".join(contents)
    assert store.look("bucket", "key").content == b"".join(contents)


def test_room_is_given_back(store: Store, files: UploadFiles) -> None:
    """Parts that are not of the object take no room of the disk."""
    upload = files.begin("bucket", UPLOAD)
    for number in (1, 2, 1, 3):
        _put(files, upload, number, os.urandom(64 * BLOCK))
    _complete(files, upload, 1)
    file, _ = store.open("bucket", "key")
    with file:
        assert os.fstat(file.fileno()).st_blocks * 512 <= 67 * BLOCK


def test_completed_twice(store: Store, files: UploadFiles) -> None:
    """An upload that became the object is complete as often as is asked, until another is there."""
    upload = files.begin("bucket", UPLOAD)
    _put(files, upload, 1, b"a")
    facts = _complete(files, upload, 1)
    assert _complete(files, upload, 1) == facts
    with pytest.raises(NoSuchUpload):
        files.complete("bucket", "key", "", Completion(()), None)
    put(store, "bucket", "key", b"another")
    with pytest.raises(NoSuchUpload):
        _complete(files, upload, 1)
    assert _get(store) == b"another"


def test_condition(store: Store, files: UploadFiles) -> None:
    """By its condition nothing is replaced, and the upload goes on."""

    def nothing(now: Facts | None) -> None:
        if now is not None:
            raise PreconditionFailed

    put(store, "bucket", "key", b"old")
    upload = files.begin("bucket", UPLOAD)
    _put(files, upload, 1, b"new")
    with pytest.raises(PreconditionFailed):
        _complete(files, upload, 1, condition=nothing)
    assert _get(store) == b"old"
    _put(files, upload, 2, b"er")
    store.remove("bucket", "key")
    _complete(files, upload, 1, 2, condition=nothing)
    assert _get(store) == b"newer"


def test_part_while_completing(store: Store, files: UploadFiles) -> None:
    """Room that is reserved at the last moment does not spoil the end of the object."""
    upload = files.begin("bucket", UPLOAD)
    _put(files, upload, 1, b"a")
    rooms = []

    def late(now: Facts | None) -> None:
        rooms.append(now)

    settle, store.settle = (
        store.settle,
        lambda descriptor: (  # type: ignore[method-assign]
            rooms or rooms.append(files.reserve("bucket", "key", upload.id, BLOCK)),
            settle(descriptor),
        )[1],
    )
    _complete(files, upload, 1, condition=late)
    room = rooms[0]
    room.file.write(b"x" * BLOCK)
    with pytest.raises(NoSuchUpload):
        files.record(room, 2, _facts(BLOCK))
    assert room.file.closed
    assert _get(store) == b"a"


def test_too_small(store: Store, files: UploadFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be put together leaves the upload as it was."""
    monkeypatch.setattr(uploads, "SMALLEST_PART", 2)
    upload = files.begin("bucket", UPLOAD)
    _put(files, upload, 1, b"a")
    _put(files, upload, 2, b"b")
    with pytest.raises(EntityTooSmall):
        _complete(files, upload, 1, 2)
    assert len(files.parts("bucket", "key", upload.id, 0, 10).parts) == 2


def test_line_that_is_not_whole(store: Store, files: UploadFiles, tmp_path: Path) -> None:
    """A part that was not acknowledged, for the process died, spoils none that comes later."""
    upload = files.begin("bucket", UPLOAD)
    _put(files, upload, 1, b"a")
    [log] = (tmp_path / "buckets").glob("bucket/uploads/*/*/parts")
    with log.open("ab") as file:
        file.write(b'\n{"number": 2, "si')
    _put(files, upload, 3, b"c")
    found = files.parts("bucket", "key", upload.id, 0, 10).parts
    assert [each.number for each in found] == [1, 3]
    _complete(files, upload, 1, 3)
    assert _get(store) == b"ac"


def test_pages_of_parts(files: UploadFiles) -> None:
    """Parts are listed by number, as many as are asked for."""
    upload = files.begin("bucket", UPLOAD)
    for number in (5, 1, 3):
        _put(files, upload, number, b"")
    page = files.parts("bucket", "key", upload.id, 0, 2)
    assert ([each.number for each in page.parts], page.last) == ([1, 3], 3)
    page = files.parts("bucket", "key", upload.id, 3, 2)
    assert ([each.number for each in page.parts], page.last) == ([5], None)
    assert page.upload == upload


def test_pages_of_uploads(files: UploadFiles) -> None:
    """Uploads are listed by key and age, prefixes in their places, each once."""
    made = [files.begin("bucket", replace(UPLOAD, key=key)) for key in ("b", "a/1", "b", "a/2")]
    expected = [made[1], made[3], made[0], made[2]]
    for limit in (1, 2, 3, 4):
        after, found = ("", ""), []
        while True:
            page = files.listing("bucket", "", after, "", limit)
            found += page.uploads
            if page.last is None:
                break
            after = page.last
        assert found == expected
    page = files.listing("bucket", "", ("", ""), "/", 2)
    assert (page.prefixes, page.uploads, page.last) == (("a/",), (made[0],), ("b", made[0].id))
    page = files.listing("bucket", "", ("a/", ""), "/", 9)
    assert (page.prefixes, page.uploads) == ((), (made[0], made[2]))
    assert files.listing("bucket", "b", ("b", ""), "", 9).uploads == ()
    assert files.listing("bucket", "c", ("b", made[0].id), "", 9).uploads == ()
    with pytest.raises(BucketNotFound):
        files.listing("nothing", "", ("", ""), "", 9)


def test_abort(store: Store, files: UploadFiles) -> None:
    """Of an upload that was given up nothing is left, even if a part is about to come."""
    upload = files.begin("bucket", replace(UPLOAD, key="k" * 1024))
    room = files.reserve("bucket", upload.key, upload.id, 1)
    files.abort("bucket", upload.key, upload.id)
    assert _left(store) == []
    for attempt in (
        lambda: files.record(room, 1, _facts(1)),
        lambda: files.abort("bucket", upload.key, upload.id),
        lambda: files.reserve("bucket", upload.key, upload.id, 1),
        lambda: _complete(files, upload),
    ):
        with pytest.raises(NoSuchUpload):
            attempt()


@pytest.mark.parametrize(
    "upload_id", ["", ".", "..", "../../objects", "x" * 32, "0" * 32, "A" * 32]
)
def test_ids(files: UploadFiles, upload_id: str) -> None:
    """What is no id of an upload is none, whatever it would be as a path."""
    files.begin("bucket", UPLOAD)
    with pytest.raises(NoSuchUpload):
        files.parts("bucket", "key", upload_id, 0, 1)


def test_prepare(store: Store, files: UploadFiles, tmp_path: Path) -> None:
    """At start what nobody can use is removed, and what was acknowledged stays."""
    kept, over = (files.begin("bucket", replace(UPLOAD, key=key)) for key in ("kept", "over"))
    _put(files, kept, 1, b"a" * BLOCK)
    room = files.reserve("bucket", "kept", kept.id, 64 * BLOCK)
    room.file.write(os.urandom(64 * BLOCK))
    room.file.flush()
    top = tmp_path / "buckets" / "bucket" / "uploads"
    [over_data] = top.glob("=over/*/data")
    over_data.rename(tmp_path / "object")
    (top / "+empty" / "=key").mkdir(parents=True)
    files.prepare()
    assert os.listdir(top) == ["=kept"]
    [data] = top.glob("=kept/*/data")
    assert data.stat().st_blocks * 512 >= 64 * BLOCK  # somebody may be about to fill it
    room.file.close()
    files.prepare()
    assert data.stat().st_blocks * 512 <= 2 * BLOCK
    assert over.id not in os.listdir(top)
    _complete(files, kept, 1)
    assert _get(store, "kept") == b"a" * BLOCK


def test_bucket_is_removed(store: Store, files: UploadFiles) -> None:
    """Uploads keep no bucket from being removed, and are gone with it."""
    upload = files.begin("bucket", UPLOAD)
    room = files.reserve("bucket", "key", upload.id, 1)
    store.remove_bucket("bucket")
    with pytest.raises(NoSuchUpload):
        files.record(room, 1, _facts(1))
    with pytest.raises(BucketNotFound):
        files.begin("bucket", UPLOAD)
    with pytest.raises(BucketNotFound):
        _complete(files, upload, 1)
