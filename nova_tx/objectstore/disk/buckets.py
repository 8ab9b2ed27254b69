"""
Files of buckets. Everything here blocks: call it in a thread.

C{<path>/<bucket>/} holds C{bucket.json} and C{objects/}; C{<path>/.new/} what is not there yet.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TextIO

from twisted.logger import Logger

from nova_tx.errors import BucketNotFound
from nova_tx.objectstore.disk.files import sync_directory
from nova_tx.objectstore.disk.known import Known
from nova_tx.objectstore.disk.sharing import Alone, SharedLock, Workspace
from nova_tx.objectstore.disk.tree import below
from nova_tx.objectstore.facts import Bucket, bucket_of
from nova_tx.objectstore.faults import BucketAlreadyExists, BucketNotEmpty, Damaged
from nova_tx.objectstore.names import check_bucket

_log = Logger()

NEW, BUCKET, OBJECTS = ".new", "bucket.json", "objects"
#: The locks of processes that share all this.
LOCKS = (".names", ".changes")


class Buckets:
    """
    Buckets, and the directory that they share with those who keep objects in them.

    @ivar names: held by who gives something its name, or takes it away.
    """

    def __init__(self, path: str, shared: bool = False, sync: bool = True) -> None:
        """
        @param shared: other processes write to them, too, and know it.
        @param sync: what is acknowledged is on the disk; else the kernel has it at least.
        """
        self._path = path
        self._work = Workspace(os.path.join(path, NEW), shared)
        self._new = self._work.path
        # names are changed by one at a time; what takes long is done outside
        self.names = self._lock(LOCKS[0], shared)
        # what is known of buckets and objects is changed by one at a time
        self.changes = self._lock(LOCKS[1], shared)
        self._known = Known(shared)
        self.to_disk = sync
        self._mine = secrets.token_hex(8)
        self._numbers = itertools.count()

    def _lock(self, name: str, shared: bool) -> Alone:
        return SharedLock(os.path.join(self._path, name)) if shared else Lock()

    def prepare(self, wait: float = 0.0) -> bool:
        """
        Make the directory, remove what processes that are dead left unfinished.

        @param wait: seconds in which other processes are believed to die.
        @return: whether no other process is at work here.
        """
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        alone = self._work.prepare(self.names, wait)
        sync_directory(self._path)
        return alone

    def close(self) -> None:
        """Nothing more is asked of it."""
        self._work.close()
        for each in (self.names, self.changes):
            if isinstance(each, SharedLock):
                each.close()

    def buckets(self) -> tuple[Bucket, ...]:
        """Every bucket, by name."""
        found = []
        for name in sorted(os.listdir(self._path)):
            if not name.startswith("."):
                try:
                    found.append(self.bucket(name))
                except BucketNotFound:  # it was removed meanwhile
                    continue
                except Damaged as error:
                    _log.error("{error}", error=str(error))
        return tuple(found)

    def known(self, name: str) -> Bucket | None:
        """A bucket that was asked for before; does not block."""
        return self._known.believed(name)

    def bucket(self, name: str) -> Bucket:
        """
        One bucket.

        @raise BucketNotFound: there is none.
        """
        path = os.path.join(self._path, check_bucket(name), BUCKET)
        found = self._known.certain(name, path)
        if found is None:
            try:
                with self.names, open(path) as file:
                    found = _read_bucket(name, file)
                    self._known.learn(found, file.fileno())
            except (FileNotFoundError, NotADirectoryError):
                raise BucketNotFound(f"the bucket {name} does not exist") from None
        return found

    def create(self, bucket: Bucket) -> Bucket:
        """
        Make a bucket; one that its owner has already is left as it is.

        @raise BucketAlreadyExists: another project has it.
        """
        name = check_bucket(bucket.name)
        while not self._make(name, bucket):
            try:
                found = self.bucket(name)
            except BucketNotFound:  # it was removed meanwhile
                continue
            if found.owner != bucket.owner:
                raise BucketAlreadyExists(f"the name {name} is taken")
            sync_directory(self._path)
            return found
        return bucket

    def _make(self, name: str, bucket: Bucket) -> bool:
        """Make a bucket, if there is none of its name."""
        new = self.unnamed()
        try:
            os.makedirs(os.path.join(new, OBJECTS), mode=0o700)
            _write_bucket(os.path.join(new, BUCKET), bucket)
            sync_directory(new)
            with self.names:
                os.rename(new, os.path.join(self._path, name))
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        sync_directory(self._path)
        return True

    def change_bucket(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        """
        Change what is known of a bucket, but its name, owner and age.

        @raise BucketNotFound: there is none.
        """
        new = self.unnamed()
        directory = os.path.join(self._path, check_bucket(name))
        with self.changes:
            changed = change(self.bucket(name))
            try:
                _write_bucket(new, changed)
                with self.names:
                    path = os.path.join(directory, BUCKET)
                    os.replace(new, path)
                    self._known.learn(changed, path)
            except FileNotFoundError:
                raise BucketNotFound(f"the bucket {name} does not exist") from None
            finally:
                forget(new)
        sync_directory(directory)
        return changed

    def remove_bucket(self, name: str) -> None:
        """
        Remove an empty bucket.

        @raise BucketNotFound: there is none.
        @raise BucketNotEmpty: it has objects.
        """
        self.bucket(name)
        old = self.unnamed()
        with self.names:
            if next(below(self.objects(name)), None) is not None:
                raise BucketNotEmpty(f"there are objects in the bucket {name}")
            self._known.forget(name)
            try:
                os.rename(os.path.join(self._path, name), old)
            except FileNotFoundError:
                raise BucketNotFound(f"the bucket {name} does not exist") from None
        sync_directory(self._path)
        shutil.rmtree(old)

    # For who keeps something in them.

    def unnamed(self) -> str:
        """A path for what has no name yet: 32 hex digits that nobody had before."""
        return os.path.join(self._new, f"{self._mine}{next(self._numbers):016x}")

    def directory(self, bucket: str) -> str:
        """Where what is of a bucket is."""
        return os.path.join(self._path, check_bucket(bucket))

    def objects(self, bucket: str) -> str:
        """Where its objects are."""
        return os.path.join(self.directory(bucket), OBJECTS)

    def settle(self, descriptor: int) -> None:
        """Have the bytes of a file safe on the disk."""
        if self.to_disk:
            os.fdatasync(descriptor)

    def sync(self, directories: Iterable[str]) -> None:
        """Have the names of directories safe on the disk."""
        if self.to_disk:
            for directory in directories:
                # one that is gone again was removed with the object by a later request
                with contextlib.suppress(FileNotFoundError):
                    sync_directory(directory)


def forget(path: str) -> None:
    """Remove a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _write_bucket(path: str, bucket: Bucket) -> None:
    with open(path, "w") as file:
        json.dump({name: value for name, value in vars(bucket).items() if name != "name"}, file)
        file.flush()
        os.fsync(file.fileno())


def _read_bucket(name: str, file: TextIO) -> Bucket:
    try:
        return bucket_of(name, json.load(file))
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"the bucket {name} is damaged: {error}") from None
