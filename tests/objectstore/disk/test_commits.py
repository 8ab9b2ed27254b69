"""Small objects that are made safe together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from nova_tx.errors import BucketNotFound
from nova_tx.objectstore.disk.commits import Commits
from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.facts import Bucket, Facts


class _Held:
    """A pool whose work is done when the test says so."""

    def __init__(self) -> None:
        self.work: list[Any] = []

    def start(self) -> None:
        """Nothing."""

    async def stop(self) -> None:
        """Nothing."""

    def run(self, fn: Any, *args: Any) -> Any:
        done: Deferred[Any] = Deferred()
        self.work.append((done, fn, args))
        return done

    def let(self) -> int:
        """Do what was first; how many objects that were."""
        done, fn, args = self.work.pop(0)
        done.callback(fn(*args))
        return len(args[0])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = Store(str(tmp_path))
    found.prepare()
    found.create(Bucket("bucket", "joe", 0.0))
    return found


def _new(key: str, content: bytes = b"content", bucket: str = "bucket") -> New:
    return New(bucket, key, content, Facts(len(content), "0" * 32, 0.0, {}, {}))


def _content(store: Store, key: str) -> bytes:
    return store.look("bucket", key).content


async def test_together(store: Store) -> None:
    """What comes while others are written is written in one turn, and answered after it only."""
    pool = _Held()
    commits = Commits(store, pool)
    asked = [commits.put(_new(f"key{n}")) for n in range(10)]
    assert [pool.let(), pool.let()] == [1, 1]
    assert [each.called for each in asked] == [True] * 2 + [False] * 8
    assert pool.let() == 8
    for number, each in enumerate(asked):
        await each
        assert _content(store, f"key{number}") == b"content"


async def test_same_key(store: Store) -> None:
    """Of several objects put under one key, the last is there."""
    pool = _Held()
    commits = Commits(store, pool)
    asked = [commits.put(_new("key", b"%d" % n)) for n in range(5)]
    while pool.work:
        pool.let()
    for each in asked:
        await each
    assert _content(store, "key") == b"4"


async def test_one_fails(store: Store, tmp_path: Path) -> None:
    """An object that can't be stored fails alone, and leaves nothing."""
    pool = _Held()
    commits = Commits(store, pool)
    keys = [("bucket", "a"), ("bucket", "b"), ("bucket", "c"), ("gone", "d"), ("bucket", "e")]
    asked = [commits.put(_new(key, bucket=bucket)) for bucket, key in keys]
    while pool.work:
        pool.let()
    with pytest.raises(BucketNotFound):
        await asked[3]
    for number in (0, 1, 2, 4):
        await asked[number]
        assert _content(store, keys[number][1]) == b"content"
    assert list((tmp_path / ".new").iterdir()) == []


async def test_no_room(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing fails all of a turn, one by one, and what comes later is stored."""
    pool = _Held()
    commits = Commits(store, pool)
    with monkeypatch.context() as patch:

        def full(_file: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("os.fdatasync", full)
        asked = [commits.put(_new(f"key{n}")) for n in range(3)]
        while pool.work:
            pool.let()
        for each in asked:
            with pytest.raises(OSError, match="No space"):
                await each
    assert list((tmp_path / ".new").iterdir()) == []
    later = commits.put(_new("key"))
    pool.let()
    await later
    assert _content(store, "key") == b"content"
