"""The store on a disk of this host: the files of L{Store}, by threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from zope.interface import implementer

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.disk.commits import Commits
from nova_tx.objectstore.disk.files import Writer, pieces
from nova_tx.objectstore.disk.store import New, Store
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.interfaces import Condition, IFound, IStore
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.threads import IPool


@implementer(IFound)
class _Found:
    def __init__(self, file: BinaryIO | None, content: bytes, facts: Facts, pool: IPool) -> None:
        self.facts = facts
        self._file = file
        self._content = content
        self._pool = pool

    async def send(
        self,
        request: StreamingRequest,
        status: int,
        headers: Mapping[str, str],
        first: int,
        count: int,
    ) -> None:
        if self._file is None:
            request.answer(status, headers, self._content[first : first + count])
        else:
            await request.send_file(status, headers, self._file, first, count, self._pool)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@implementer(IStore)
class FilesystemStore:
    """Buckets and objects of one directory."""

    def __init__(
        self, path: str, files: IPool, bodies: IPool, shared: bool = False, sync: bool = True
    ) -> None:
        """
        @param files: runs what is short; where small objects are written.
        @param bodies: takes in and sends what is large.
        @param shared, sync: see L{Store}.
        """
        self._store = Store(path, shared, sync)
        self._files = files
        self._bodies = bodies
        self._commits = Commits(self._store, files)

    async def open(self) -> None:
        await self._files.run(self._store.prepare)

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
            held = await self._bodies.run(self._store.held, bucket, key)
            try:
                await self._bodies.run(
                    self._store.commit, path, file, bucket, key, facts, condition
                )
            finally:
                if held is not None:
                    _ = self._bodies.run(os.close, held)
        except Exception:  # CancelledError is one
            await self._bodies.run(self._store.abort, path, file)
            raise
        return facts

    async def look(self, bucket: str, key: str) -> Any:
        return _Found(*await self._files.run(self._store.look, bucket, key), self._bodies)

    def change(self, bucket: str, key: str, change: Callable[[Facts], Facts]) -> Deferred[Facts]:
        return self._files.run(self._store.change, bucket, key, change)

    def remove(self, bucket: str, key: str, condition: Condition | None = None) -> Deferred[None]:
        return self._files.run(self._store.remove, bucket, key, condition)

    def listing(
        self, bucket: str, prefix: str, after: str, delimiter: str, limit: int
    ) -> Deferred[Listing]:
        return self._files.run(self._store.listing, bucket, prefix, after, delimiter, limit)

    def read(self, bucket: str, key: str) -> tuple[Facts, Iterator[bytes]]:
        file, facts = self._store.open(bucket, key)
        return facts, pieces(file, facts.size)
