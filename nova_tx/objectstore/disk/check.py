"""
Looks whether all that is kept is what was stored: every byte is read, nothing is changed. Blocks.

A daemon may be at work meanwhile: what it replaces or removes is no damage, and what looks like a
leftover is looked at again at the end.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.disk.buckets import BUCKET, LOCKS, NEW, OBJECTS
from nova_tx.objectstore.disk.paths import key_of
from nova_tx.objectstore.disk.store import Store
from nova_tx.objectstore.disk.upload_directory import is_one
from nova_tx.objectstore.disk.uploads import UPLOADS, UploadFiles
from nova_tx.objectstore.disk.verify import wrong, wrong_part
from nova_tx.objectstore.faults import Damaged, NoSuchUpload
from nova_tx.objectstore.names import check_bucket

#: Seconds after which nobody is at what is not there yet.
OLD = 86400.0
_PAGE = 1000


@dataclass(frozen=True)
class Finding:
    """
    Something that is not as it should be.

    @ivar where: C{bucket/key}, or a path.
    @ivar what: in words.
    @ivar damage: something that was stored is not as it was; else it only takes room.
    """

    where: str
    what: str
    damage: bool = True


@dataclass
class Counts:
    """What was looked at."""

    buckets: int = 0
    objects: int = 0
    uploads: int = 0
    read: int = 0


def size_of(path: str) -> int:
    """Bytes of all files below a directory, as far as they are there."""
    total = 0
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(directory, name)).st_size
    return total


@dataclass
class Check:
    """
    A look at all that a store keeps.

    @ivar path: the store's.
    @ivar seen: called with the number of bytes read so far.
    @ivar old: seconds after which what is not there yet is a leftover.
    """

    path: str
    seen: Callable[[int], object] = lambda count: None
    old: float = OLD
    counts: Counts = field(default_factory=Counts)

    def run(self) -> Iterator[Finding]:
        """What is not as it should be."""
        self._store = Store(self.path)
        self._uploads = UploadFiles(self._store)
        self._suspects: list[tuple[Finding, Callable[[], bool]]] = []
        for name in sorted(os.listdir(self.path)):
            if name == NEW:
                yield from self._leftovers()
            elif name not in LOCKS:
                yield from self._bucket(name)
        for finding, still in self._suspects:
            if still():
                yield finding

    def _read(self, count: int) -> None:
        self.counts.read += count
        self.seen(self.counts.read)

    def _suspect(self, path: str, what: str, still: Callable[[], bool]) -> None:
        """Something that is a leftover if it is still the same at the end."""
        where = os.path.relpath(path, self.path)
        self._suspects.append((Finding(where, what, damage=False), still))

    def _leftovers(self) -> Iterator[Finding]:
        top = os.path.join(self.path, NEW)
        before = time.time() - self.old
        for name in sorted(os.listdir(top)):
            path = os.path.join(top, name)
            with contextlib.suppress(FileNotFoundError):
                if _newest(path) <= before and not _is_empty(path):
                    yield Finding(f"{NEW}/{name}", "was begun, and is not gone on with", False)

    def _bucket(self, name: str) -> Iterator[Finding]:
        path = os.path.join(self.path, name)
        try:
            self._store.bucket(check_bucket(name))
            names = sorted(os.listdir(path))
        except Damaged as error:
            yield Finding(name, _reason(error))
            return
        except (BucketNotFound, FileNotFoundError):
            if os.path.isdir(path):
                yield Finding(name, f"the bucket has no {BUCKET}")
            return
        self.counts.buckets += 1
        for each in names:
            if each not in (BUCKET, OBJECTS, UPLOADS):
                yield Finding(f"{name}/{each}", "is nothing of a bucket's", damage=False)
        if OBJECTS not in names and os.path.isdir(path):
            yield Finding(name, "the bucket has lost its objects")
        yield from self._objects(name, os.path.join(path, OBJECTS), ())
        yield from self._parts(name)
        self._ended(os.path.join(path, UPLOADS), top=True)

    # Objects.

    def _objects(self, bucket: str, directory: str, above: tuple[str, ...]) -> Iterator[Finding]:
        try:
            names = sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            return
        if above and not names:
            self._suspect(directory, "is empty", lambda: _is_empty(directory))
        for name in names:
            path = os.path.join(directory, name)
            if name.startswith("+"):
                yield from self._objects(bucket, path, (*above, name))
            elif name.startswith("="):
                key = key_of((*above, name))
                if key is None:
                    yield Finding(os.path.relpath(path, self.path), "is where no key leads to")
                else:
                    yield from self._object(bucket, key.decode("utf-8", "surrogateescape"))
            elif name.startswith("~"):
                self._beside(path)
            else:
                where = os.path.relpath(path, self.path)
                yield Finding(where, "is no object's", damage=False)

    def _beside(self, path: str) -> None:
        """A file of changes, whose object must be there."""
        directory, name = os.path.split(path)
        its = os.path.join(directory, f"={name[1:]}")
        if not os.path.exists(its):
            self._suspect(
                path,
                "has changes of an object that is not there",
                lambda: os.path.exists(path) and not os.path.exists(its),
            )

    def _object(self, bucket: str, key: str) -> Iterator[Finding]:
        where = f"{bucket}/{key}"
        try:
            file, facts = self._store.open(bucket, key)
        except Damaged as error:
            yield Finding(where, _reason(error))
            return
        except (BucketNotFound, KeyNotFound):  # it was removed meanwhile
            return
        except (OSError, ValueError) as error:
            yield Finding(where, f"can't be read: {error}")
            return
        self.counts.objects += 1
        with file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_NOREUSE)
            try:
                what = wrong(file, facts, self._read)
            except (OSError, ValueError) as error:
                what = f"can't be read: {error}"
        if what:
            yield Finding(where, what)

    # Uploads that go on.

    def _parts(self, bucket: str) -> Iterator[Finding]:
        after: tuple[str, str] | None = ("", "")
        while after is not None:
            try:
                page = self._uploads.listing(bucket, "", after, "", _PAGE)
            except BucketNotFound:
                return
            except (ValueError, TypeError, KeyError) as error:
                yield Finding(bucket, f"an upload can't be read: {error}")
                return
            for upload in page.uploads:
                yield from self._upload(bucket, upload.key, upload.id)
            after = page.last

    def _upload(self, bucket: str, key: str, upload_id: str) -> Iterator[Finding]:
        with contextlib.suppress(NoSuchUpload, FileNotFoundError):  # it ended meanwhile
            file, parts = self._uploads.stored(bucket, key, upload_id)
            self.counts.uploads += 1
            with file:
                for part, first in parts.values():
                    try:
                        what = wrong_part(file, part, first, self._read)
                    except (OSError, ValueError) as error:
                        what = f"part {part.number} can't be read: {error}"
                    if what and self._goes_on(bucket, key, upload_id, part.number, first):
                        yield Finding(f"{bucket}/{key}", f"upload {upload_id}: {what}")

    def _goes_on(self, bucket: str, key: str, upload_id: str, number: int, first: int) -> bool:
        """Whether a part is still that one."""
        try:
            file, parts = self._uploads.stored(bucket, key, upload_id)
        except (NoSuchUpload, FileNotFoundError):
            return False
        file.close()
        return number in parts and parts[number][1] == first

    def _ended(self, directory: str, top: bool = False) -> None:
        """Directories of uploads that are over."""
        names = _names(directory)
        if is_one(directory):
            if "data" not in names:
                self._suspect(directory, "is of an upload that is over", lambda: _has(directory))
            return
        if not names and not top and os.path.isdir(directory):
            self._suspect(directory, "is empty", lambda: _is_empty(directory))
        for name in names:
            self._ended(os.path.join(directory, name))


def _reason(error: Damaged) -> str:
    return str(error).partition(" is damaged: ")[2]


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _has(directory: str) -> bool:
    return os.path.isdir(directory) and "data" not in _names(directory)


def _is_empty(path: str) -> bool:
    """Whether a directory has nothing in it; such a one is a process's that is at work."""
    return os.path.isdir(path) and not os.listdir(path)


def _newest(path: str) -> float:
    """When something, or anything in it, was changed last."""
    found = os.lstat(path).st_mtime
    for directory, _, names in os.walk(path):
        for name in names:
            found = max(found, os.lstat(os.path.join(directory, name)).st_mtime)
    return found
