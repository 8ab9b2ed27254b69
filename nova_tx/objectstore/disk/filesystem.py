"""The store on a disk of this host: the files of L{Store}, by threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from zope.interface import implementer

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.copied import Copied, CopiedPart
from nova_tx.objectstore.disk.commits import Commits
from nova_tx.objectstore.disk.copying import Copy
from nova_tx.objectstore.disk.files import Writer, pieces, runs_of, within
from nova_tx.objectstore.disk.store import Look, New, Store
from nova_tx.objectstore.disk.uploads import UploadFiles
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.interfaces import Condition, IFound, IStore
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.threads import IPool
from nova_tx.objectstore.uploads import Completion, Part, Parts, Upload, Uploads

P = ParamSpec("P")
T = TypeVar("T")


@implementer(IFound)
class _Found:
    def __init__(self, look: Look, pool: IPool) -> None:
        self.facts = look.facts
        self.runs = look.runs
        self.file = look.file
        self.content = look.content
        self._pool = pool

    async def send(
        self,
        request: StreamingRequest,
        status: int,
        headers: Mapping[str, str],
        first: int,
        count: int,
    ) -> None:
        if self.file is None:
            request.answer(status, headers, self.content[first : first + count])
        else:
            runs = within(self.runs, first, count)
            await request.send_file(status, headers, self.file, runs, self._pool)

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


@implementer(IStore)
class FilesystemStore:
    """Buckets and objects of one directory."""

    def __init__(
        self,
        path: str,
        files: IPool,
        bodies: IPool,
        shared: bool = False,
        sync: bool = True,
        wait: float = 0.0,
    ) -> None:
        """
        @param files: runs what is short; where small objects are written.
        @param bodies: takes in and sends what is large.
        @param shared, sync: see L{Store}.
        @param wait: seconds in which other processes are believed to die.
        """
        self._wait = wait
        self._store = Store(path, shared, sync)
        self._files = files
        self._bodies = bodies
        self._commits = Commits(self._store, files)
        self._uploads = UploadFiles(self._store)

    async def open(self) -> None:
        if await self._files.run(self._store.prepare, self._wait):
            await self._files.run(self._uploads.prepare)

    async def close(self) -> None:
        await self._files.run(self._store.close)

    # Buckets.

    def buckets(self) -> Deferred[tuple[Bucket, ...]]:
        return self._files.run(self._store.buckets)

    def known(self, name: str) -> Bucket | None:
        return self._store.known(name)

    def bucket(self, name: str) -> Deferred[Bucket]:
        return self._files.run(self._store.bucket, name)

    def create(self, bucket: Bucket) -> Deferred[Bucket]:
        return self._files.run(self._store.create, bucket)

    def change_bucket(self, name: str, change: Callable[[Bucket], Bucket]) -> Deferred[Bucket]:
        return self._files.run(self._store.change_bucket, name, change)

    def remove_bucket(self, name: str) -> Deferred[None]:
        return self._files.run(self._store.remove_bucket, name)

    # Objects.

    async def receive(
        self, bucket: str, key: str, body: Body, intake: Intake, condition: Condition | None = None
    ) -> Facts:
        if body.small:
            content = bytes(intake.feed(await body.whole()))
            facts = intake.facts()
            await self._commits.put(New(bucket, key, content, facts, condition))
            return facts
        path, file = await self._bodies.run(self._store.begin)
        try:
            writer = Writer(file)
            await body.pour(lambda data: writer.write(intake.feed(data)), self._bodies)
            facts = await self._bodies.run(intake.facts)
            await self._commit(path, file, bucket, key, facts, condition)
        except Exception:  # CancelledError is one
            await self._bodies.run(self._store.abort, path, file)
            raise
        return facts

    async def _commit(
        self,
        path: str,
        file: BinaryIO,
        bucket: str,
        key: str,
        facts: Facts,
        condition: Condition | None,
    ) -> None:
        await self._replacing(
            bucket, key, self._store.commit, path, file, bucket, key, facts, condition
        )

    async def _replacing(
        self, bucket: str, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What a function returns that replaces an object, whose bytes nobody waits for."""
        held = await self._bodies.run(self._store.held, bucket, key)
        try:
            return await self._bodies.run(fn, *args, **kwargs)
        finally:
            if held is not None:
                _ = self._bodies.run(os.close, held)

    async def look(self, bucket: str, key: str) -> Any:
        found = self._store.glance(bucket, key)
        if found is None:
            found = await self._files.run(self._store.look, bucket, key)
        return _Found(found, self._bodies)

    def change(self, bucket: str, key: str, change: Callable[[Facts], Facts]) -> Deferred[Facts]:
        return self._files.run(self._store.change, bucket, key, change)

    def remove(self, bucket: str, key: str, condition: Condition | None = None) -> Deferred[None]:
        return self._files.run(self._store.remove, bucket, key, condition)

    def remove_all(
        self, bucket: str, keys: Sequence[tuple[str, Condition | None]]
    ) -> Deferred[list[Exception | None]]:
        return self._files.run(self._store.remove_all, bucket, keys)

    def listing(
        self, bucket: str, prefix: str, after: str, delimiter: str, limit: int
    ) -> Deferred[Listing]:
        return self._files.run(self._store.listing, bucket, prefix, after, delimiter, limit)

    def read(self, bucket: str, key: str) -> tuple[Facts, Iterator[bytes]]:
        file, facts = self._store.open(bucket, key)
        return facts, pieces(file, runs_of(file, facts))

    # Copies.

    async def copy(
        self,
        found: IFound,
        bucket: str,
        key: str,
        change: Callable[[Facts], Facts],
        algorithm: str = "",
        condition: Condition | None = None,
    ) -> Facts:
        assert isinstance(found, _Found)
        copied = Copied(found.facts, change, algorithm)
        if found.file is None:
            copied.update(found.content)
            facts = copied.facts()
            await self._commits.put(New(bucket, key, found.content, facts, condition))
            return facts
        path, file = await self._bodies.run(self._store.begin)
        try:
            await self._copy(Copy(found.file, found.runs, file, 0, copied.digests))
            facts = copied.facts()
            file.seek(facts.size)
            await self._commit(path, file, bucket, key, facts, condition)
        except Exception:
            await self._bodies.run(self._store.abort, path, file)
            raise
        return facts

    async def _copy(self, copy: Copy) -> None:
        while await self._bodies.run(copy.turn):
            pass

    # Objects in parts.

    def begin_upload(self, bucket: str, upload: Upload) -> Deferred[Upload]:
        return self._files.run(self._uploads.begin, bucket, upload)

    async def receive_part(
        self, bucket: str, key: str, upload_id: str, number: int, body: Body, intake: Intake
    ) -> Part:
        if body.small:
            content = bytes(intake.feed(await body.whole()))
            facts = intake.facts()
            return await self._files.run(
                self._uploads.put, bucket, key, upload_id, number, content, facts
            )
        assert body.length is not None
        room = await self._bodies.run(self._uploads.reserve, bucket, key, upload_id, body.length)
        try:
            writer = Writer(room.file, room.first)
            await body.pour(lambda data: writer.write(intake.feed(data)), self._bodies)
            facts = await self._bodies.run(intake.facts)
        except Exception:
            await self._bodies.run(self._uploads.give_up, room)
            raise
        return await self._bodies.run(self._uploads.record, room, number, facts)

    async def copy_part(
        self,
        found: IFound,
        first: int,
        count: int,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
    ) -> Part:
        assert isinstance(found, _Found)
        room = await self._bodies.run(self._uploads.reserve, bucket, key, upload_id, count)
        try:
            copied = CopiedPart(count, room.upload.algorithm)
            if found.file is None:
                piece = found.content[first : first + count]
                copied.update(piece)
                await self._bodies.run(room.file.write, piece)
            else:
                runs = within(found.runs, first, count)
                await self._copy(Copy(found.file, runs, room.file, room.first, copied.digests))
            facts = copied.facts()
        except Exception:
            await self._bodies.run(self._uploads.give_up, room)
            raise
        return await self._bodies.run(self._uploads.record, room, number, facts)

    def parts(
        self, bucket: str, key: str, upload_id: str, after: int, limit: int
    ) -> Deferred[Parts]:
        return self._files.run(self._uploads.parts, bucket, key, upload_id, after, limit)

    def uploads(
        self, bucket: str, prefix: str, after: tuple[str, str], delimiter: str, limit: int
    ) -> Deferred[Uploads]:
        return self._files.run(self._uploads.listing, bucket, prefix, after, delimiter, limit)

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None = None,
    ) -> Facts:
        complete = self._uploads.complete
        return await self._replacing(
            bucket, key, complete, bucket, key, upload_id, completion, condition
        )

    def abort(self, bucket: str, key: str, upload_id: str) -> Deferred[None]:
        return self._files.run(self._uploads.abort, bucket, key, upload_id)
