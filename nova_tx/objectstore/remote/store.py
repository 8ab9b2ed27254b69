"""
The store in another S3: one bucket there, or a prefix in it, keeps all buckets and objects.

It is this process's alone: what must not happen at once is kept apart by locks in memory, and so
conditions hold; nothing is asked of that S3 but to put, get, copy, remove and list, as all can.
Where it heeds conditions of its own, late requests of a process that died do no harm.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import blockingCallFromThread
from zope.interface import implementer

from nova_tx.errors import StartupError, Unavailable
from nova_tx.log import background
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.copied import Copied, CopiedPart
from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.interfaces import Condition, IFound, IStore
from nova_tx.objectstore.remote.buckets import Buckets
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.found import Found
from nova_tx.objectstore.remote.garbage import Garbage, Owner
from nova_tx.objectstore.remote.names import PROBES, Names
from nova_tx.objectstore.remote.objects import Kept, Objects
from nova_tx.objectstore.remote.records import Records, together
from nova_tx.objectstore.remote.sending import Deliveries
from nova_tx.objectstore.remote.turns import Turns
from nova_tx.objectstore.remote.uploads import PartedUploads
from nova_tx.objectstore.threads import IPool
from nova_tx.objectstore.uploads import Completion, Part, Parts, Upload, Uploads

T = TypeVar("T")


@implementer(IStore)
class RemoteStore:
    """Buckets and objects of one place in another S3."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        pool: IPool,
        reactor: Any,
        end: Callable[[], Awaitable[None]],
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param prefix: what all names there begin with.
        @param pool: computes digests.
        @param end: called when nothing more is asked of the client.
        @param clock: says what is old enough to be left over; None: the reactor.
        """
        self._end = end
        self._client = client
        self._names = Names(prefix)
        self._pool = pool
        self._reactor = reactor
        self._records = Records(client)
        turns = Turns()
        self._garbage = Garbage(client, self._records, self._names, turns, clock or reactor)
        self._buckets = Buckets(client, self._records, self._names, turns)
        self._objects = Objects(
            client, self._records, self._names, turns, self._buckets, self._garbage
        )
        self._uploads = PartedUploads(
            client,
            self._records,
            self._names,
            turns,
            self._buckets,
            self._garbage,
            self._objects,
            pool,
        )
        self._deliveries = Deliveries(client, self._names, self._garbage, pool)

    async def open(self) -> None:
        try:
            await self._records.open(self._names.all(PROBES))
            await self._buckets.open()
            await self._garbage.sweep()
            self._garbage.start()
        except Unavailable as error:
            reason = getattr(error, "reason", str(error))
            raise StartupError(f"s3_backend_url can't be used: {reason}") from None

    async def close(self) -> None:
        await self._garbage.stop()
        await self._end()

    # Buckets.

    async def buckets(self) -> tuple[Bucket, ...]:
        return self._buckets.all()

    def known(self, name: str) -> Bucket | None:
        return self._buckets.known(name)

    async def bucket(self, name: str) -> Bucket:
        return self._buckets.get(name)

    async def create(self, bucket: Bucket) -> Bucket:
        return await self._buckets.create(bucket)

    async def change_bucket(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        return await self._buckets.change(name, change)

    async def remove_bucket(self, name: str) -> None:
        await self._uploads.remove_bucket(name)

    # Objects.

    async def receive(
        self, bucket: str, key: str, body: Body, intake: Intake, condition: Condition | None = None
    ) -> Facts:
        self._objects.check(bucket, key)
        if body.small:
            content = bytes(intake.feed(await body.whole()))
            facts = intake.facts()
            await self._objects.commit(bucket, key, Kept(facts, content), condition)
            return facts
        facts, data, doubts = await self._deliveries.receive(body, intake, Owner(bucket, key))
        await self._objects.commit(bucket, key, Kept(facts, b"", data), condition, doubts)
        return facts

    async def look(self, bucket: str, key: str) -> Any:
        return self._found(await self._objects.get(bucket, key))

    def _found(self, kept: Kept) -> Found:
        return Found(kept, self._client, self._names, self._garbage)

    async def change(self, bucket: str, key: str, change: Callable[[Facts], Facts]) -> Facts:
        return await self._objects.change(bucket, key, change)

    async def remove(self, bucket: str, key: str, condition: Condition | None = None) -> None:
        await self._objects.remove(bucket, key, condition)

    async def remove_all(
        self, bucket: str, keys: Sequence[tuple[str, Condition | None]]
    ) -> list[Exception | None]:
        self._buckets.get(bucket)

        async def remove(asked: tuple[str, Condition | None]) -> Exception | None:
            try:
                await self._objects.remove(bucket, *asked)
            except Exception as error:
                return error
            return None

        return await together(remove, keys)

    async def copy(
        self,
        found: IFound,
        bucket: str,
        key: str,
        change: Callable[[Facts], Facts],
        algorithm: str = "",
        condition: Condition | None = None,
    ) -> Facts:
        assert isinstance(found, Found)
        self._objects.check(bucket, key)
        copied = Copied(found.facts, change, algorithm)
        if copied.digests:
            async with aclosing(found.pieces(0, found.facts.size)) as pieces:
                async for piece in pieces:
                    await self._pool.run(copied.update, piece)
        facts = copied.facts()
        data, doubts = await self._deliveries.copy(found.kept.data, Owner(bucket, key))
        kept = Kept(facts, found.kept.content, data)
        await self._objects.commit(bucket, key, kept, condition, doubts)
        return facts

    async def listing(
        self, bucket: str, prefix: str, after: str, delimiter: str, limit: int
    ) -> Listing:
        return await self._objects.listing(bucket, prefix, after, delimiter, limit)

    def read(self, bucket: str, key: str) -> tuple[Facts, Iterator[bytes]]:
        found: Found = _wait(self._reactor, lambda: self.look(bucket, key))
        source = found.pieces(0, found.facts.size)
        pieces = _Blocking(self._reactor, source)

        async def end() -> None:
            await source.aclose()
            found.close()

        # whoever stops reading in the middle says nothing; its connection is the reactor's to close
        weakref.finalize(
            pieces, self._reactor.callFromThread, lambda: background(end(), "the end of a read")
        )
        return found.facts, pieces

    # Objects in parts.

    async def begin_upload(self, bucket: str, upload: Upload) -> Upload:
        return await self._uploads.begin(bucket, upload)

    async def receive_part(
        self, bucket: str, key: str, upload_id: str, number: int, body: Body, intake: Intake
    ) -> Part:
        upload = await self._uploads.get(bucket, key, upload_id)
        owner = Owner(bucket, key, upload_id)
        facts, data, doubts = await self._deliveries.receive(body, intake, owner)
        return await self._uploads.record(bucket, upload, number, facts, data[0][0], doubts[0])

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
        assert isinstance(found, Found)
        upload = await self._uploads.get(bucket, key, upload_id)
        copied = CopiedPart(count, upload.algorithm)
        owner = Owner(bucket, key, upload_id)
        async with aclosing(found.pieces(first, count)) as pieces:
            id_, doubtful = await self._deliveries.store(pieces, count, copied.update, owner)
        return await self._uploads.record(bucket, upload, number, copied.facts(), id_, doubtful)

    async def parts(self, bucket: str, key: str, upload_id: str, after: int, limit: int) -> Parts:
        return await self._uploads.parts(bucket, key, upload_id, after, limit)

    async def uploads(
        self, bucket: str, prefix: str, after: tuple[str, str], delimiter: str, limit: int
    ) -> Uploads:
        return await self._uploads.listing(bucket, prefix, after, delimiter, limit)

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None = None,
    ) -> Facts:
        return await self._uploads.complete(bucket, key, upload_id, completion, condition)

    async def abort(self, bucket: str, key: str, upload_id: str) -> None:
        await self._uploads.abort(bucket, key, upload_id)


class _Blocking:
    """The pieces of an object, for a thread."""

    def __init__(self, reactor: Any, pieces: AsyncIterator[bytes]) -> None:
        self._reactor = reactor
        self._pieces = pieces

    def __iter__(self) -> _Blocking:
        return self

    def __next__(self) -> bytes:
        piece: bytes | None = _wait(self._reactor, self._next)
        if piece is None:
            raise StopIteration
        return piece

    async def _next(self) -> bytes | None:
        return await anext(self._pieces, None)


def _wait(reactor: Any, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the reactor makes of something, for a thread."""
    wait: Callable[..., T] = blockingCallFromThread
    return wait(reactor, lambda: Deferred.fromCoroutine(work()))
