"""
Files of objects that come in parts. Everything here blocks: call it in a thread.

C{<path>/<bucket>/uploads/} has an L{upload_directory} for each, where a file of its key would be
among objects.  A part is written where room was reserved for it when it began to come.
To be complete, the file of the parts gets what is put behind the bytes of an object, and becomes
the object by a rename: however large it is, nothing is copied.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from nova_tx.errors import BucketNotFound, KeyNotFound
from nova_tx.objectstore.disk import upload_directory as directories
from nova_tx.objectstore.disk.files import (
    facts_bytes,
    give_back,
    give_back_others,
    merged,
    read_kept,
)
from nova_tx.objectstore.disk.paths import path_of
from nova_tx.objectstore.disk.store import Store
from nova_tx.objectstore.disk.tree import below, prune
from nova_tx.objectstore.disk.upload_directory import DATA
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import NoSuchUpload
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.names import check_key
from nova_tx.objectstore.pages import Page
from nova_tx.objectstore.upload_ids import is_id, new_id, over
from nova_tx.objectstore.uploads import (
    Completion,
    Part,
    Parts,
    Upload,
    Uploads,
    assembled,
    check_part,
    chosen_parts,
)

UPLOADS = "uploads"


@dataclass(frozen=True)
class Room:
    """
    Where the bytes of a part go.

    @ivar path: the directory of the upload.
    @ivar first, size: where in the file, and the most that there is room for.
    """

    path: str
    upload: Upload
    file: BinaryIO
    first: int
    size: int


class _Grown(Exception):
    """Room was reserved behind what is to be the end of an object."""


class UploadFiles:
    """The uploads of a L{Store}."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def prepare(self) -> None:
        """Remove what nobody can use: of uploads that are over, and parts that did not come."""
        for bucket in self._store.buckets():
            top = os.path.join(self._store.directory(bucket.name), UPLOADS)
            for directory, _, files in os.walk(top, topdown=False):
                if directories.is_one(directory) and DATA in files:
                    directories.give_back_lost(directory)
                elif directories.is_one(directory):
                    self._forget(bucket.name, directory)
                elif directory != top:
                    with self._store.names:
                        prune(directory, top)

    def begin(self, bucket: str, upload: Upload) -> Upload:
        """
        Begin an upload; returns it with its id.

        @raise BucketNotFound: there is no such bucket.
        """
        upload = replace(upload, id=new_id())
        *above, last = self._chain(bucket, upload.key, upload.id)
        new = self._store.unnamed()
        try:
            directories.make(new, upload, self._store.settle)
            self._store.sync([new])
            with self._store.names:
                for directory in above[1:]:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(directory, 0o700)
                os.rename(new, last)
        except FileNotFoundError:
            raise BucketNotFound(f"the bucket {bucket} does not exist") from None
        finally:
            shutil.rmtree(new, ignore_errors=True)
        self._store.sync(reversed(above))
        return upload

    def _chain(self, bucket: str, key: str, upload_id: str) -> list[str]:
        """The directories from a bucket's to an upload's."""
        chain = [self._store.directory(bucket)]
        for name in (UPLOADS, *path_of(check_key(key)), upload_id):
            chain.append(os.path.join(chain[-1], name))
        return chain

    def _open(self, bucket: str, key: str, upload_id: str) -> tuple[str, Upload, BinaryIO]:
        """
        The directory of an upload, what is known of it, and the file of its bytes.

        @raise NoSuchUpload: there is none.
        """
        if not is_id(upload_id):
            raise over()
        path = self._chain(bucket, key, upload_id)[-1]
        return path, *directories.opened(path)

    # Parts.

    def reserve(self, bucket: str, key: str, upload_id: str, size: int) -> Room:
        """
        Room for the bytes of a part; for L{record} or L{give_up}.

        @raise NoSuchUpload: there is no such upload.
        """
        path, upload, file = self._open(bucket, key, upload_id)
        try:
            with self._store.names:
                directories.check(path)
                first = os.fstat(file.fileno()).st_size
                os.ftruncate(file.fileno(), first + size)
            file.seek(first)
        except BaseException:
            file.close()
            raise
        return Room(path, upload, file, first, size)

    def record(self, room: Room, number: int, facts: Facts) -> Part:
        """
        Have what was written a part, or give it up; when this returns it is safe on the disk.

        @raise NoSuchUpload: the upload is over.
        @raise InvalidRequest: by L{check_part}.
        """
        part = Part(number, facts.size, facts.etag, facts.modified, facts.checksums)
        try:
            check_part(room.upload, facts.checksums)
            room.file.flush()
            self._store.settle(room.file.fileno())
            with self._store.names:
                directories.check(room.path)
                log = directories.open_lines(room.path)
        except BaseException:
            self.give_up(room)
            raise
        # from here on the line may be there, and the bytes with it
        try:
            directories.add_line(log, part, room.first)
            self._store.settle(log)
        finally:
            os.close(log)
            room.file.close()
        return part

    def give_up(self, room: Room) -> None:
        """Forget a part that did not come."""
        with contextlib.suppress(OSError):
            room.file.flush()
        give_back(room.file.fileno(), room.first, room.size)
        with contextlib.suppress(OSError):
            room.file.close()

    def put(
        self, bucket: str, key: str, upload_id: str, number: int, content: bytes, facts: Facts
    ) -> Part:
        """
        A small part; when this returns it is safe on the disk.

        @raise NoSuchUpload, InvalidRequest: as L{record}.
        """
        room = self.reserve(bucket, key, upload_id, len(content))
        try:
            room.file.write(content)
        except BaseException:
            self.give_up(room)
            raise
        return self.record(room, number, facts)

    def parts(self, bucket: str, key: str, upload_id: str, after: int, limit: int) -> Parts:
        """
        The first C{limit} parts whose numbers are more than C{after}.

        @raise NoSuchUpload: there is no such upload.
        """
        path, upload, file = self._open(bucket, key, upload_id)
        file.close()
        found = [
            part for number, (part, _) in sorted(directories.parts(path).items()) if number > after
        ]
        page = tuple(found[:limit])
        return Parts(upload, page, page[-1].number if page and len(found) > limit else None)

    def stored(
        self, bucket: str, key: str, upload_id: str
    ) -> tuple[BinaryIO, dict[int, tuple[Part, int]]]:
        """
        The file of an upload's bytes, and its parts by number, each with where in it it begins.

        @raise NoSuchUpload: there is no such upload.
        """
        path, _, file = self._open(bucket, key, upload_id)
        try:
            return file, directories.parts(path)
        except BaseException:
            file.close()
            raise

    # The end of an upload.

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None,
    ) -> Facts:
        """
        Make an upload the object; when this returns it is safe on the disk.

        @raise NoSuchUpload: there is no such upload, and the object did not come by it.
        @raise InvalidPart, InvalidPartOrder, EntityTooSmall: it can't be.
        @raise InvalidRequest, BadDigest: it is not what the client believes.
        @raise PreconditionFailed: by the condition.
        """
        try:
            return self._complete(bucket, key, upload_id, completion, condition)
        except NoSuchUpload:  # perhaps since it is the object
            return self._completed(bucket, key, upload_id)

    def _complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None,
    ) -> Facts:
        path, upload, file = self._open(bucket, key, upload_id)
        with file:
            there = directories.parts(path)
            parts = chosen_parts(
                upload, {number: part for number, (part, _) in there.items()}, completion
            )
            facts = assembled(upload, parts, completion)
            runs = [(there[part.number][1], part.size) for part in parts]
            end = facts_bytes(facts, merged(runs), upload_id)
            self._become(path, file, bucket, key, end, condition)
            size = os.fstat(file.fileno()).st_size
            give_back_others(file.fileno(), [*runs, (size - len(end), len(end))], size)
        self._forget(bucket, path)
        return facts

    def _become(
        self,
        path: str,
        file: BinaryIO,
        bucket: str,
        key: str,
        end: bytes,
        condition: Condition | None,
    ) -> None:
        """
        Put an end behind an upload's bytes, and make them the object.

        @raise NoSuchUpload: the upload is over.
        @raise PreconditionFailed: by the condition.
        """

        def is_ready(now: Facts | None) -> None:
            directories.check(path)
            if os.fstat(file.fileno()).st_size != size:
                raise _Grown
            if condition is not None:
                condition(now)

        while True:
            with self._store.names:
                directories.check(path)
                file.seek(0, os.SEEK_END)
                file.write(end)
                file.flush()
                size = file.tell()
            self._store.settle(file.fileno())
            with contextlib.suppress(_Grown):
                self._store.sync(self._store.name(os.path.join(path, DATA), bucket, key, is_ready))
                return

    def _completed(self, bucket: str, key: str, upload_id: str) -> Facts:
        """
        The object that came by an upload.

        @raise NoSuchUpload: the one that there is did not.
        """
        try:
            file, facts = self._store.open(bucket, key)
        except KeyNotFound:
            raise over() from None
        with file:
            if not upload_id or read_kept(file).upload != upload_id:
                raise over()
        # who made it the object may have died before it was safe
        self._store.sync(reversed(self._store.directories(bucket, key)))
        return facts

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """
        Forget an upload.

        @raise NoSuchUpload: there is none.
        """
        path, _, file = self._open(bucket, key, upload_id)
        with file:  # its bytes are freed when it is closed, and not before
            self._store.sync([self._forget(bucket, path)])

    def _forget(self, bucket: str, path: str) -> str:
        """Remove an upload's directory; returns the one that is changed."""
        old = self._store.unnamed()
        with self._store.names:
            with contextlib.suppress(FileNotFoundError):  # another request was faster
                os.rename(path, old)
            top = os.path.join(self._store.directory(bucket), UPLOADS)
            changed = prune(os.path.dirname(path), top)
        shutil.rmtree(old, ignore_errors=True)
        return changed

    # Which there are.

    def listing(
        self, bucket: str, prefix: str, after: tuple[str, str], delimiter: str, limit: int
    ) -> Uploads:
        """
        The first C{limit} uploads and common prefixes whose keys begin with C{prefix}.

        @raise BucketNotFound: there is no such bucket.
        """
        self._store.bucket(bucket)
        page: Page[str] = Page(prefix, after[0], delimiter, limit)
        for key, upload_id in self._ids(bucket, prefix, *after):
            page.add(key, upload_id)
            if page.full:
                break
        found: list[Upload] = []
        for key, upload_id in page.found:
            with contextlib.suppress(NoSuchUpload):  # it ended meanwhile
                _, upload, file = self._open(bucket, key, upload_id)
                file.close()
                found.append(upload)
        last = None if page.end is None else (page.end, page.final or "")
        return Uploads(tuple(found), tuple(page.prefixes), last)

    def _ids(
        self, bucket: str, prefix: str, after: str, after_id: str
    ) -> Iterator[tuple[str, str]]:
        """Keys and ids of uploads, in order."""
        if after_id and after.startswith(prefix):
            yield from ((after, each) for each in self._of(bucket, after) if each > after_id)
        top = os.path.join(self._store.directory(bucket), UPLOADS)
        for entry in below(top, prefix.encode(), after.encode()):
            key = entry.key.decode()
            yield from ((key, each) for each in self._of(bucket, key))

    def _of(self, bucket: str, key: str) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(os.listdir(os.path.dirname(self._chain(bucket, key, "")[-1])))
        return []
