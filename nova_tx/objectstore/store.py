"""
Buckets and objects in the file system. Everything here blocks: call it in a thread.

C{<path>/<bucket>/} holds C{bucket.json} and C{objects/}; C{<path>/.new/} what is
not there yet.  An object comes into being by a rename, after its bytes are safe.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO, ParamSpec, TypeVar

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.faults import BucketAlreadyExists, BucketNotEmpty
from nova_tx.objectstore.files import (
    Facts,
    facts_bytes,
    read_facts,
    start_writing,
    sync_directory,
    write_small,
)
from nova_tx.objectstore.names import check_bucket, check_key, entries, path_of

P = ParamSpec("P")
T = TypeVar("T")

_NEW = ".new"
#: Bytes of an object that is read as a whole.
SMALL = 2**16


@dataclass(frozen=True)
class Bucket:
    """
    A bucket.

    @ivar owner: the project that made it.
    @ivar created: seconds since 1970, UTC.
    """

    name: str
    owner: str
    created: float


@dataclass(frozen=True)
class Listing:
    """
    A page of a bucket's keys.

    @ivar objects: keys with their facts, in the order of their bytes.
    @ivar prefixes: what keys that go on after a delimiter have in common.
    @ivar last: where the next page begins after, None if this is the last one.
    """

    objects: tuple[tuple[str, Facts], ...]
    prefixes: tuple[str, ...]
    last: str | None


@dataclass(frozen=True)
class New:
    """A small object that is to be stored."""

    bucket: str
    key: str
    content: bytes
    facts: Facts


class Store:
    """The files of one objectstore; no other process writes to them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._new = os.path.join(path, _NEW)
        # names are changed by one thread at a time; what takes long is done outside
        self._names = Lock()
        self._known: dict[str, Bucket] = {}
        self._mine = secrets.token_hex(8)
        self._numbers = itertools.count()

    def prepare(self) -> None:
        """Make the directory, remove what an earlier process left unfinished."""
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        shutil.rmtree(self._new, ignore_errors=True)
        os.makedirs(self._new, mode=0o700, exist_ok=True)
        sync_directory(self._path)

    # Buckets.

    def buckets(self) -> tuple[Bucket, ...]:
        """Every bucket, by name."""
        found = []
        for name in sorted(os.listdir(self._path)):
            if name != _NEW:
                with contextlib.suppress(BucketNotFound):
                    found.append(self.bucket(name))
        return tuple(found)

    def known(self, name: str) -> Bucket | None:
        """A bucket that was asked for before; does not block."""
        return self._known.get(name)

    def bucket(self, name: str) -> Bucket:
        """
        One bucket.

        @raise BucketNotFound: there is none.
        """
        found = self._known.get(name)
        if found is None:
            path = os.path.join(self._path, check_bucket(name), "bucket.json")
            try:
                with self._names, open(path) as file:
                    found = self._known[name] = Bucket(name=name, **json.load(file))
            except (FileNotFoundError, NotADirectoryError):
                raise BucketNotFound(f"the bucket {name} does not exist") from None
        return found

    def create(self, name: str, owner: str) -> Bucket:
        """
        Make a bucket; one that the owner has already is left as it is.

        @raise BucketAlreadyExists: another project has it.
        """
        check_bucket(name)
        new = self._unnamed()
        try:
            os.makedirs(os.path.join(new, "objects"), mode=0o700)
            with open(os.path.join(new, "bucket.json"), "w") as file:
                json.dump({"owner": owner, "created": time.time()}, file)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(new)
            with self._names:
                os.rename(new, os.path.join(self._path, name))
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            if self.bucket(name).owner != owner:
                raise BucketAlreadyExists(f"the name {name} is taken") from None
        sync_directory(self._path)
        return self.bucket(name)

    def remove_bucket(self, name: str) -> None:
        """
        Remove an empty bucket.

        @raise BucketNotFound: there is none.
        @raise BucketNotEmpty: it has objects.
        """
        self.bucket(name)
        old = self._unnamed()
        with self._names:
            if next(self._keys(self._objects(name), b"", b"", b""), None) is not None:
                raise BucketNotEmpty(f"there are objects in the bucket {name}")
            self._known.pop(name, None)
            try:
                os.rename(os.path.join(self._path, name), old)
            except FileNotFoundError:
                raise BucketNotFound(f"the bucket {name} does not exist") from None
        sync_directory(self._path)
        shutil.rmtree(old)

    # Objects.

    def begin(self) -> tuple[str, BinaryIO]:
        """A new file for the bytes of an upload, and its path for L{commit} or L{abort}."""
        path = self._unnamed()
        return path, open(path, "xb", buffering=SMALL)

    def _unnamed(self) -> str:
        """A path for what has no name yet: 32 hex digits that nobody had before."""
        return os.path.join(self._new, f"{self._mine}{next(self._numbers):016x}")

    def commit(self, path: str, file: BinaryIO, bucket: str, key: str, facts: Facts) -> None:
        """
        Make an upload the object; when this returns it is safe on the disk.

        @raise BucketNotFound: the bucket was removed meanwhile.
        """
        with file:
            file.write(facts_bytes(facts))
            file.flush()
            os.fsync(file.fileno())
        _sync(self._name(path, bucket, key))

    def held(self, bucket: str, key: str) -> int | None:
        """
        A descriptor of an object that is to be replaced; None if there is none.

        Its bytes are freed when that is closed, and not while others wait for the new name: a
        gigabyte takes the kernel a quarter of a second.
        """
        try:
            path = os.path.join(self._objects(bucket), *path_of(check_key(key)))
            return os.open(path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, objects: Sequence[New]) -> list[Exception | None]:
        """
        Store some objects, safe on the disk when this returns; for each, why it is not.

        The disk is given all of them before the first is waited for.
        """
        results: list[Exception | None] = []
        directories: dict[str, None] = {}
        begun = [self._try(self._write, each) for each in objects]
        if len(begun) > 1:
            for each in begun:
                if not isinstance(each, Exception):
                    start_writing(each[1])
        for new, found in zip(objects, begun, strict=True):
            changed = found if isinstance(found, Exception) else self._try(self._end, new, *found)
            if isinstance(changed, Exception):
                results.append(changed)
            else:
                directories.update(dict.fromkeys(changed))
                results.append(None)
        _sync(directories)
        return results

    def _try(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | Exception:
        try:
            return work(*args, **kwargs)
        except Exception as error:
            return error

    def _write(self, new: New) -> tuple[str, int]:
        path = self._unnamed()
        try:
            return path, write_small(path, new.content + facts_bytes(new.facts))
        except BaseException:
            _forget(path)
            raise

    def _end(self, new: New, path: str, descriptor: int) -> Iterable[str]:
        try:
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            return self._name(path, new.bucket, new.key)
        except BaseException:
            _forget(path)
            raise

    def _name(self, path: str, bucket: str, key: str) -> Iterable[str]:
        """
        Give a new file its name; returns the directories that are changed, the last one first.

        @raise BucketNotFound: the bucket was removed meanwhile.
        """
        *above, name = path_of(check_key(key))
        chain = [self._objects(bucket)]
        with self._names:
            for piece in above:
                chain.append(os.path.join(chain[-1], piece))
            try:
                for directory in chain[1:]:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(directory, 0o700)
                os.replace(path, os.path.join(chain[-1], name))
            except FileNotFoundError:
                raise BucketNotFound(f"the bucket {bucket} does not exist") from None
        return reversed(chain)

    def abort(self, path: str, file: BinaryIO) -> None:
        """Forget an upload that was not committed."""
        with contextlib.suppress(OSError):
            file.close()
        _forget(path)

    def open(self, bucket: str, key: str) -> tuple[BinaryIO, Facts]:
        """
        An object's file, at its first byte, and its facts; it stays readable if replaced.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        self.bucket(bucket)
        path = os.path.join(self._objects(bucket), *path_of(check_key(key)))
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115
        except (FileNotFoundError, NotADirectoryError):
            raise KeyNotFound("the key does not exist") from None
        try:
            return file, read_facts(file)
        except BaseException:
            file.close()
            raise

    def look(self, bucket: str, key: str) -> tuple[BinaryIO | None, bytes, Facts]:
        """
        An object to send: its file as by L{open}, or its bytes if they are few.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        file, facts = self.open(bucket, key)
        if facts.size > SMALL:
            return file, b"", facts
        with file:
            return None, os.pread(file.fileno(), facts.size, 0), facts

    def remove(self, bucket: str, key: str) -> None:
        """
        Remove an object; one that is not there is nothing.

        @raise BucketNotFound: there is no such bucket.
        """
        self.bucket(bucket)
        *above, name = path_of(check_key(key))
        objects = self._objects(bucket)
        directory = os.path.join(objects, *above)
        with self._names:
            try:
                os.unlink(os.path.join(directory, name))
            except FileNotFoundError:
                return
            while directory != objects:
                try:
                    os.rmdir(directory)
                except OSError:
                    break
                directory = os.path.dirname(directory)
        with contextlib.suppress(FileNotFoundError):
            sync_directory(directory)

    def listing(self, bucket: str, prefix: str, after: str, delimiter: str, limit: int) -> Listing:
        """
        The first C{limit} keys and common prefixes that begin with C{prefix} and
        come after C{after}.

        @param delimiter: keys that have it after the prefix are shown as one; "" for none.
        @raise BucketNotFound: there is no such bucket.
        """
        self.bucket(bucket)
        objects: list[tuple[str, Facts]] = []
        prefixes: list[str] = []
        last = ""
        start, stop = prefix.encode(), delimiter.encode()
        for key in self._keys(self._objects(bucket), b"", start, after.encode()):
            at = key.find(stop, len(start)) if stop else -1
            common = key[: at + len(stop)].decode() if at >= 0 else None
            if common is not None and (common == after or prefixes[-1:] == [common]):
                continue
            if len(objects) + len(prefixes) >= limit:
                return Listing(tuple(objects), tuple(prefixes), last if limit else None)
            if common is not None:
                prefixes.append(common)
                last = common
                continue
            last = key.decode()
            with contextlib.suppress(KeyNotFound):  # it was removed meanwhile
                file, facts = self.open(bucket, last)
                file.close()
                objects.append((last, facts))
        return Listing(tuple(objects), tuple(prefixes), None)

    def _objects(self, bucket: str) -> str:
        return os.path.join(self._path, check_bucket(bucket), "objects")

    def _keys(self, directory: str, above: bytes, prefix: bytes, after: bytes) -> Iterator[bytes]:
        """Keys below a directory, in order of their bytes."""
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            return
        for piece, is_directory, name in entries(names):
            key = above + piece
            if is_directory:
                beside = not key.startswith(prefix[: len(key)])
                if not beside and key >= after[: len(key)]:
                    yield from self._keys(os.path.join(directory, name), key, prefix, after)
            elif key.startswith(prefix) and key > after:
                yield key


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync(directories: Iterable[str]) -> None:
    for directory in directories:
        # one that is gone again was removed with the object by a later request
        with contextlib.suppress(FileNotFoundError):
            sync_directory(directory)
