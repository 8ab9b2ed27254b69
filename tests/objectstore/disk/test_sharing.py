"""Several processes on one directory: here several stores, which know as little of each other."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.disk.known import BELIEVED, Known
from nova_tx.objectstore.disk.sharing import SharedLock, claim
from nova_tx.objectstore.disk.store import Store
from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.faults import BucketAlreadyExists, BucketNotEmpty, PreconditionFailed
from nova_tx.testing.objectstore import put


def _store(path: Path) -> Store:
    made = Store(str(path / "buckets"), shared=True)
    made.prepare()
    return made


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    made = _store(tmp_path), _store(tmp_path)
    made[0].create(Bucket("bucket", "joe", 0.0))
    yield made
    for each in made:
        each.close()


def _new(path: Path) -> list[Path]:
    """What somebody has that is not there yet."""
    return [each for each in (path / "buckets" / ".new").glob("*/*")]


def test_each_has_its_own(two: tuple[Store, Store], tmp_path: Path) -> None:
    """Who starts leaves alone what others are at, and removes what the dead left."""
    uploads = [each.begin() for each in two]
    dead = tmp_path / "buckets" / ".new" / "dead"
    dead.mkdir()
    (dead / "1").write_bytes(b"left over")
    (dead.parent / "2").write_bytes(b"left over by one alone")
    third = _store(tmp_path)
    assert not dead.exists() and not (dead.parent / "2").exists()
    assert sorted(str(each) for each in _new(tmp_path)) == sorted(path for path, _ in uploads)
    for (path, file), store in zip(uploads, two, strict=True):
        store.commit(path, file, "bucket", "key", Facts(0, "", 0.0, {}, {}))
    third.close()
    assert len(list(dead.parent.iterdir())) == 2


def test_closed(tmp_path: Path) -> None:
    """One that ends leaves nothing of its own, unfinished uploads or not."""
    store = _store(tmp_path)
    store.create(Bucket("bucket", "joe", 0.0))
    _, file = store.begin()
    store.close()
    file.close()
    assert list((tmp_path / "buckets" / ".new").iterdir()) == []


def _race(*work: Callable[[], Any]) -> list[Any]:
    """What comes of several things that are done at once."""
    results: list[Any] = [None] * len(work)
    ready = threading.Barrier(len(work))

    def run(number: int) -> None:
        ready.wait()
        try:
            results[number] = work[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(work))]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return results


def test_one_wins(two: tuple[Store, Store]) -> None:
    """Of two who put if nothing is there one does, each time."""

    def absent(now: Facts | None) -> None:
        if now is not None:
            raise PreconditionFailed("it is there")

    def writer(store: Store, key: str, content: bytes) -> Callable[[], None]:
        path, file = store.begin()
        file.write(content)
        facts = Facts(len(content), "", 0.0, {}, {})
        return lambda: store.commit(path, file, "bucket", key, facts, absent)

    for number in range(50):
        key = f"key{number}"
        results = _race(*(writer(each, key, b"%d" % n) for n, each in enumerate(two)))
        assert [type(each) for each in results].count(PreconditionFailed) == 1
        assert two[0].look("bucket", key).content == b"%d" % results.index(None)


def test_put_and_remove_bucket(two: tuple[Store, Store]) -> None:
    """A bucket is removed, or there is an object in it, never both."""
    for _ in range(50):
        two[1].bucket("bucket")
        placed, removed = _race(
            lambda: put(two[1], "bucket", "key", b"content"),
            lambda: two[0].remove_bucket("bucket"),
        )
        if removed is None:
            assert isinstance(placed, BucketNotFound)
            with pytest.raises(BucketNotFound):
                two[1].look("bucket", "key")
            two[1].create(Bucket("bucket", "joe", 0.0))
        else:
            assert placed is None and isinstance(removed, BucketNotEmpty)
            assert two[0].look("bucket", "key").content == b"content"
            two[0].remove("bucket", "key")


def test_make_and_remove_bucket(two: tuple[Store, Store]) -> None:
    """A name that is given up and taken at once has one owner, whom both know."""
    for number in range(50):
        names = f"a{number}", f"b{number}"
        results = _race(
            lambda: two[0].remove_bucket("bucket"),
            lambda names=names: two[0].create(Bucket("bucket", names[0], 0.0)),
            lambda names=names: two[1].create(Bucket("bucket", names[1], 0.0)),
        )
        assert {type(each) for each in results} <= {type(None), Bucket, BucketAlreadyExists}
        now = two[0].create(Bucket("bucket", "joe", 0.0)) if _gone(two[0]) else None
        now = now or two[0].bucket("bucket")
        assert two[1].bucket("bucket") == now


def _gone(store: Store) -> bool:
    try:
        store.bucket("bucket")
    except BucketNotFound:
        return True
    return False


def test_changes_are_seen(two: tuple[Store, Store]) -> None:
    """What one changed of a bucket or object the other sees, and adds to."""
    one, other = two
    assert other.bucket("bucket").tags == {}
    one.change_bucket("bucket", lambda now: replace(now, tags={"a": "b"}))
    assert other.bucket("bucket").tags == {"a": "b"}
    put(one, "bucket", "key", b"content")

    def add(store: Store, number: int) -> Callable[[], Any]:
        def change(now: Any) -> Any:
            return replace(now, tags={**now.tags, f"key{number}": "x"})

        return lambda: (
            store.change("bucket", "key", change),
            store.change_bucket("bucket", change),
        )

    for number in range(0, 20, 2):
        _race(add(one, number), add(other, number + 1))
    assert len(other.look("bucket", "key").facts.tags) == 20
    assert len(other.bucket("bucket").tags) == 21
    other.remove("bucket", "key")
    with pytest.raises(KeyNotFound):
        one.look("bucket", "key")


def test_believed_for_a_second(tmp_path: Path) -> None:
    """Without a look at its file a bucket is believed for a second, if others may change it."""
    now = [0.0]
    file = tmp_path / "bucket.json"
    file.write_text("{}")
    bucket = Bucket("bucket", "joe", 0.0)
    for shared in (True, False):
        known = Known(shared, lambda: now[0])
        assert known.believed("bucket") is None
        known.learn(bucket, str(file))
        now[0] += BELIEVED
        assert known.believed("bucket") == bucket
        now[0] += 0.1
        assert known.believed("bucket") == (None if shared else bucket)
        assert known.certain("bucket", str(file)) == bucket
        assert known.believed("bucket") == bucket
    replaced = tmp_path / "new"
    replaced.write_text("{}")
    os.replace(replaced, file)
    known = Known(True, lambda: now[0])
    known.learn(bucket, str(file))
    file.unlink()
    assert known.certain("bucket", str(file)) is None
    assert known.believed("bucket") is None


def test_lock_of_the_dead(tmp_path: Path) -> None:
    """A lock keeps others out while its holder lives."""
    one, other = (SharedLock(str(tmp_path / "lock")) for _ in range(2))
    with one:
        pass
    with other:
        assert claim(str(tmp_path / "lock")) is None
    found = claim(str(tmp_path / "lock"))
    assert found is not None
    os.close(found)
    one.close()
    other.close()


def test_others_die(tmp_path: Path) -> None:
    """The first waits for those that are about to die, and knows whether it is alone then."""
    one = Store(str(tmp_path / "buckets"), shared=True)
    assert one.prepare()
    other = Store(str(tmp_path / "buckets"), shared=True)
    assert not other.prepare()
    dying = threading.Timer(0.1, one.close)
    other.close()
    dying.start()
    assert other.prepare(wait=60.0)
    other.close()


def test_taken_again(tmp_path: Path) -> None:
    """Who holds a lock may take it again, and lets go of it once it did so as often."""
    one = SharedLock(str(tmp_path / "lock"))
    with one:
        with one:
            pass
        assert claim(str(tmp_path / "lock")) is None
    found = claim(str(tmp_path / "lock"))
    assert found is not None
    os.close(found)
    one.close()
