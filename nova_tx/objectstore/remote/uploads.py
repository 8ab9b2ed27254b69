"""Objects that come in parts, in another S3: a record for each upload, and one for each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from nova_tx.errors import KeyNotFound, Unavailable
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import NoSuchUpload
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.names import LONGEST_KEY
from nova_tx.objectstore.pages import Page
from nova_tx.objectstore.remote.buckets import Buckets
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.garbage import Doubtful, Garbage, Owner
from nova_tx.objectstore.remote.names import Names, escaped
from nova_tx.objectstore.remote.objects import Kept, Objects
from nova_tx.objectstore.remote.records import PAGE, Records, again, together
from nova_tx.objectstore.remote.turns import Turns
from nova_tx.objectstore.threads import IPool
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
    upload_of,
)


@dataclass(frozen=True)
class Stored:
    """
    A part, and where its bytes are.

    @ivar record: the name of what says so.
    @ivar data: the id of its bytes.
    """

    part: Part
    record: str
    data: str


class PartedUploads:
    """Uploads in parts."""

    def __init__(
        self,
        client: Client,
        records: Records,
        names: Names,
        turns: Turns,
        buckets: Buckets,
        garbage: Garbage,
        objects: Objects,
        pool: IPool,
    ) -> None:
        """
        @param turns: by C{("upload", id)}: who ends it, or has a part of it.
        @param pool: makes digests of many parts.
        """
        self._client = client
        self._records = records
        self._names = names
        self._turns = turns
        self._buckets = buckets
        self._garbage = garbage
        self._objects = objects
        self._pool = pool
        #: Those that are over, and whose records could not be removed.
        self._over: set[str] = set()

    async def begin(self, bucket: str, upload: Upload) -> Upload:
        """
        Begin an upload; returns it with its id.

        @raise BucketNotFound, KeyTooLong: it can't be there.
        """
        upload = replace(upload, id=new_id())
        async with self._turns.together(("bucket", bucket)):
            self._objects.check(bucket, upload.key)
            await self._records.put(
                self._names.upload(bucket, upload.key, upload.id), asdict(upload)
            )
        return upload

    async def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """
        An upload that goes on.

        @raise NoSuchUpload: there is none.
        """
        if is_id(upload_id) and upload_id not in self._over:
            found = await self._records.get(self._names.upload(bucket, key, upload_id))
            if found is not None:
                return upload_of(found.known)
        raise over()

    # Parts.

    async def record(
        self,
        bucket: str,
        upload: Upload,
        number: int,
        facts: Facts,
        data: str,
        doubtful: Doubtful,
    ) -> Part:
        """
        Have bytes that are stored a part, in place of the one of this number.

        @raise NoSuchUpload: the upload is over.
        @raise InvalidRequest: by L{check_part}.
        """
        part = Part(number, facts.size, facts.etag, facts.modified, facts.checksums)
        name = self._names.part(upload.id, number)

        async def recorded() -> list[Doubtful]:
            old: list[Doubtful] = []
            try:
                check_part(upload, facts.checksums)
                await self.get(bucket, upload.key, upload.id)
                there = await self._records.get(name)
                if there is not None:
                    owner = Owner(bucket, upload.key, upload.id)
                    old.append(await self._garbage.doubt([there.known["data"]], owner))
            except Exception:
                self._garbage.due(doubtful)
                raise
            await self._records.put(name, {"part": asdict(part), "data": data}, b"", there)
            return old

        async with self._turns.alone(("upload", upload.id)):
            old = await again(recorded)
        self._garbage.left(*old)
        self._garbage.kept(doubtful)
        return part

    async def parts(self, bucket: str, key: str, upload_id: str, after: int, limit: int) -> Parts:
        """
        The first C{limit} parts whose numbers are more than C{after}.

        @raise NoSuchUpload: there is no such upload.
        """
        upload = await self.get(bucket, key, upload_id)
        if not limit:
            return Parts(upload, (), None)
        prefix = self._names.parts(upload_id)
        start = self._names.part(upload_id, min(after, 99999)) if after else ""
        found = await self._client.names(prefix, start, min(limit, PAGE), False)
        parts = [each.part for each in await self._stored(sorted(found.tags.items()))]
        last = parts[-1].number if parts and found.more else None
        return Parts(upload, tuple(parts), last)

    async def _stored(self, tags: Sequence[tuple[str, str]]) -> list[Stored]:
        known = await self._records.seen(tags)
        return [
            Stored(Part(**each["part"]), name, each["data"])
            for (name, _), each in zip(tags, known, strict=True)
            if each is not None
        ]

    async def _all(self, upload_id: str) -> list[Stored]:
        return await self._stored(await self._records.tags(self._names.parts(upload_id)))

    # The end of an upload.

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        completion: Completion,
        condition: Condition | None,
    ) -> Facts:
        """
        Make parts the object.

        @raise NoSuchUpload: there is no such upload, and the object did not come by it.
        @raise InvalidPart, InvalidPartOrder, EntityTooSmall: it can't be.
        @raise InvalidRequest, BadDigest: it is not what the client believes.
        @raise PreconditionFailed: by the condition.
        """
        async with (
            self._turns.together(("bucket", bucket)),
            self._turns.alone(("upload", upload_id)),
        ):
            self._objects.check(bucket, key)
            try:
                upload = await self.get(bucket, key, upload_id)
            except NoSuchUpload:  # perhaps since it is the object
                there = await self._completed(bucket, key, upload_id)
                if there is None:
                    raise
                return there
            stored = {each.part.number: each for each in await self._all(upload_id)}
            there_are = {number: each.part for number, each in stored.items()}
            chosen = chosen_parts(upload, there_are, completion)
            facts = await self._pool.run(assembled, upload, chosen, completion)
            data = tuple((stored[each.number].data, each.size) for each in chosen)
            used = {id_ for id_, _ in data}
            rest = [each.data for each in stored.values() if each.data not in used]
            owner = Owner(bucket, key, upload_id)
            doubtful = await self._garbage.doubt([*used, *rest], owner)
            kept = Kept(facts, data=tuple(each for each in data if each[1]), upload=upload_id)
            empty = [id_ for id_, size in data if not size]
            try:
                await self._objects.replace(bucket, key, kept, condition)
            except Unavailable:
                raise
            except Exception:
                self._garbage.kept(doubtful)
                raise
            left = Doubtful(doubtful.record, (*rest, *empty))
            await self._forget(bucket, upload, list(stored.values()))
            self._garbage.due(left)
            return (await self._completed(bucket, key, upload_id)) or facts

    async def _completed(self, bucket: str, key: str, upload_id: str) -> Facts | None:
        """What is known of the object, if it came by an upload."""
        try:
            there = await self._objects.get(bucket, key)
        except KeyNotFound:
            return None
        return there.facts if upload_id and there.upload == upload_id else None

    async def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """
        Forget an upload.

        @raise NoSuchUpload: there is none.
        """
        async with self._turns.alone(("upload", upload_id)):
            upload = await self.get(bucket, key, upload_id)
            owner = Owner(bucket, key, upload_id)
            there = await self._objects.record(bucket, key)
            if not await self._garbage.goes_on(owner, there):
                raise over()
            stored = await self._all(upload_id)
            doubtful = await self._garbage.doubt([each.data for each in stored], owner)
            await self._forget(bucket, upload, stored)
            self._garbage.left(doubtful)

    async def _forget(self, bucket: str, upload: Upload, stored: Sequence[Stored]) -> None:
        """Remove an upload's records."""
        self._over.add(upload.id)
        await self._records.remove(self._names.upload(bucket, upload.key, upload.id))
        await together(self._records.remove, [each.record for each in stored])
        self._over.discard(upload.id)

    async def remove_bucket(self, bucket: str) -> None:
        """
        Remove a bucket that has no objects, with its uploads.

        @raise BucketNotFound, BucketNotEmpty: it can't be.
        """
        async with self._turns.alone(("bucket", bucket)):
            await self._buckets.check_empty(bucket)
            for name in await self._records.names(self._names.uploads(bucket)):
                await self.abort(bucket, *self._names.upload_of(bucket, name))
            await self._buckets.remove(bucket)

    # Which there are.

    async def listing(
        self, bucket: str, prefix: str, after: tuple[str, str], delimiter: str, limit: int
    ) -> Uploads:
        """
        The first C{limit} uploads and common prefixes whose keys begin with C{prefix}.

        @raise BucketNotFound: there is no such bucket.
        """
        above = self._names.uploads(self._buckets.get(bucket).name)
        first = above + escaped(prefix)
        if not limit or len(first.encode()) > LONGEST_KEY:
            return Uploads((), (), None)
        page: Page[tuple[str, str]] = Page(prefix, after[0], delimiter, limit)
        start = above + escaped(after[0]) if after[0] else ""
        more = True
        while more and not page.full:
            found = await self._client.names(first, start, PAGE, False)
            more = found.more
            for name, tag in sorted(found.tags.items(), key=lambda each: each[0].encode()):
                start = name
                key, id_ = self._names.upload_of(bucket, name)
                if _comes(key, id_, after):
                    page.add(key, (name, tag))
        known = await self._records.seen([listed for _, listed in page.found])
        uploads = tuple(upload_of(each) for each in known if each is not None)
        final = "" if page.final is None else self._names.upload_of(bucket, page.final[0])[1]
        last = None if page.end is None else (page.end, final)
        return Uploads(uploads, tuple(page.prefixes), last)


def _comes(key: str, id_: str, after: tuple[str, str]) -> bool:
    """Whether an upload comes after another one; without an id, after all of its key."""
    if key == after[0]:
        return bool(after[1]) and id_ > after[1]
    return key.encode() > after[0].encode()
