"""Files that are reached for in memory, and no further."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.bounds import SMALL
from nova_tx.objectstore.disk import reach
from nova_tx.objectstore.disk.filesystem import FilesystemStore
from nova_tx.objectstore.disk.reach import TO_MEMORY, OutOfReach, ToDisk, ToMemory
from nova_tx.objectstore.disk.store import Look, Store
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.objectstore import put


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """With a bucket that has been asked for."""
    store = Store(str(tmp_path / "buckets"))
    store.prepare()
    store.create(Bucket("bucket", "joe", 0.0))
    store.bucket("bucket")
    yield store
    store.close()


def _seen(store: Store, key: str) -> Look:
    """What a thread finds, so that the kernel has all of it in memory."""
    found = store.look("bucket", key)
    if found.file is not None:
        found.file.close()
    return found


def _memory(monkeypatch: pytest.MonkeyPatch, has: bool) -> None:
    """
    A kernel that has all files in memory, or the bytes of none.

    Of this one neither can be said: some file systems do not tell, and what it is asked to forget
    it has again as soon as it is asked whether it has.
    """

    def nothing(*_: object) -> bytes:
        raise OutOfReach

    monkeypatch.setattr(ToMemory, "open", ToDisk.open)
    monkeypatch.setattr(ToMemory, "read", ToDisk.read if has else nothing)


def test_what_was_read_before_is_there_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What threads found once is found without them, with its changes; else reading stays slow."""
    _memory(monkeypatch, has=True)
    put(store, "bucket", "key", b"content")
    assert _seen(store, "key") == store.glance("bucket", "key")
    store.change("bucket", "key", lambda now: replace(now, tags={"a": "b"}))
    looked = _seen(store, "key")
    assert looked.facts.tags == {"a": "b"} and looked == store.glance("bucket", "key")
    put(store, "bucket", "large", b"x" * (SMALL + 1))
    large = store.glance("bucket", "large")
    assert large is not None and large.file is not None
    with large.file as file:
        assert file.read(4) == b"xxxx"


async def test_threads_are_not_asked(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for the same again gets it without a change of threads."""

    class Counting(InlinePool):
        runs = 0

        def run(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
            self.runs += 1
            return super().run(fn, *args, **kwargs)

    _memory(monkeypatch, has=True)
    pool = Counting()
    put(store, "bucket", "key", b"content")
    found = FilesystemStore(str(tmp_path / "buckets"), pool, pool)
    await found.bucket("bucket")
    before = pool.runs
    (await found.look("bucket", "key")).close()
    assert pool.runs == before
    with pytest.raises(KeyNotFound):
        await found.look("bucket", "other")


def test_whatever_this_kernel_has(store: Store) -> None:
    """What is found at once is what threads find, on every file system and kernel."""
    put(store, "bucket", "key", b"content")
    looked = _seen(store, "key")
    for _ in range(100):
        assert store.glance("bucket", "key") in (None, looked)


def test_what_is_on_the_disk_is_not_waited_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object whose bytes are not in memory is left to threads, and no file stays open."""
    put(store, "bucket", "key", b"content")
    _seen(store, "key")
    _memory(monkeypatch, has=False)
    before = os.listdir("/proc/self/fd")
    assert store.glance("bucket", "key") is None
    assert os.listdir("/proc/self/fd") == before
    assert _seen(store, "key").content == b"content"


def test_names(tmp_path: Path) -> None:
    """A name that is nobody's is found to be nobody's, or left to threads; nothing is made."""
    path = str(tmp_path / "name")
    for _ in range(100):
        with pytest.raises((FileNotFoundError, OutOfReach)):
            TO_MEMORY.open(path)
        assert not os.path.exists(path)


def test_names_are_not_waited_for() -> None:
    """A name that the kernel would have to look up is left to threads: of /proc it has none."""
    with pytest.raises(OutOfReach):
        TO_MEMORY.open(f"/proc/{os.urandom(8).hex()}")


def test_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read without waiting, all that is asked for or nothing."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    descriptor = os.open(path, os.O_RDONLY)
    preadv = os.preadv

    def has(descriptor: int, buffers: list[bytearray], first: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        return preadv(descriptor, buffers, first)

    def has_not(*_: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "")

    monkeypatch.setattr(os, "preadv", has)
    assert TO_MEMORY.read(descriptor, 4, 3) == b"tent"
    with pytest.raises(OutOfReach):
        TO_MEMORY.read(descriptor, 5, 3)
    monkeypatch.setattr(os, "preadv", has_not)
    with pytest.raises(OutOfReach):
        TO_MEMORY.read(descriptor, 4, 3)
    os.close(descriptor)


def test_what_went_wrong_is_left_to_threads(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not there, is damaged, or was cut short is no answer of the event loop's."""
    _memory(monkeypatch, has=True)
    assert store.glance("bucket", "nothing") is None
    assert store.glance("other", "key") is None
    put(store, "bucket", "key", b"content")
    path = tmp_path / "buckets" / "bucket" / "objects" / "=key"
    path.write_bytes(path.read_bytes()[:-1])
    assert store.glance("bucket", "key") is None


def test_older_kernels(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no such call, threads find everything as before."""
    put(store, "bucket", "key", b"content")
    _seen(store, "key")
    monkeypatch.setattr(reach, "_OPENAT2", 100_000)
    assert store.glance("bucket", "key") is None
