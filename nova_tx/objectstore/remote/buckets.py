"""Buckets in another S3: a record for each. All are in memory, for nobody else writes them."""

from __future__ import annotations

from collections.abc import Callable

from nova_tx.errors import BucketNotFound
from nova_tx.objectstore.facts import Bucket, bucket_of
from nova_tx.objectstore.faults import BucketAlreadyExists, BucketNotEmpty
from nova_tx.objectstore.names import check_bucket
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.names import BUCKETS, Names
from nova_tx.objectstore.remote.records import Record, Records, again
from nova_tx.objectstore.remote.turns import Turns

#: In the record of a bucket that is about to be removed.
_DOOMED = "doomed"


class Buckets:
    """What is known of buckets."""

    def __init__(self, client: Client, records: Records, names: Names, turns: Turns) -> None:
        """
        @param turns: by C{("bucket", name)}: together, who puts something into a bucket; alone, who
            changes it.
        """
        self._client = client
        self._records = records
        self._names = names
        self._turns = turns
        self._there: dict[str, Bucket] = {}

    async def open(self) -> None:
        """
        Read all.

        @raise Unavailable: they can't be read.
        """
        prefix = self._names.all(BUCKETS)
        tags = await self._records.tags(prefix)
        known = await self._records.seen(tags)
        for (name, _), each in zip(tags, known, strict=True):
            if each is not None:
                doomed = each.pop(_DOOMED, False)
                bucket = bucket_of(name.removeprefix(prefix), each)
                self._there[bucket.name] = bucket
                if doomed:  # who was to remove it died: if that comes yet, it finds another record
                    await self._write(bucket)

    def all(self) -> tuple[Bucket, ...]:
        """Every bucket, by name."""
        return tuple(self._there[name] for name in sorted(self._there))

    def known(self, name: str) -> Bucket | None:
        """A bucket, if there is one."""
        return self._there.get(name)

    def get(self, name: str) -> Bucket:
        """
        One bucket.

        @raise BucketNotFound, InvalidBucketName: there is none, or can't be.
        """
        found = self._there.get(check_bucket(name))
        if found is None:
            raise BucketNotFound(f"the bucket {name} does not exist")
        return found

    async def create(self, bucket: Bucket) -> Bucket:
        """
        Make a bucket; one that its owner has already is left as it is.

        @raise BucketAlreadyExists: another project has it.
        """
        check_bucket(bucket.name)
        async with self._turns.alone(("bucket", bucket.name)):
            found = self._there.get(bucket.name)
            if found is None:
                return await self._write(bucket)
            if found.owner != bucket.owner:
                raise BucketAlreadyExists(f"the name {bucket.name} is taken")
            return found

    async def change(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        """
        Change what is known of a bucket, but its name, owner and age.

        @raise BucketNotFound: there is none.
        """
        async with self._turns.alone(("bucket", check_bucket(name))):
            return await self._write(change(self.get(name)))

    async def _write(self, bucket: Bucket) -> Bucket:
        await self._record(bucket)
        self._there[bucket.name] = bucket
        return bucket

    async def _record(self, bucket: Bucket, **more: bool) -> Record:
        name = self._names.bucket(bucket.name)
        known = {each: value for each, value in vars(bucket).items() if each != "name"} | more

        async def recorded() -> Record:
            return await self._records.put(name, known, b"", await self._records.get(name))

        return await again(recorded)

    async def check_empty(self, name: str) -> None:
        """
        See that a bucket has no objects.

        @raise BucketNotFound, BucketNotEmpty: there is none, or it has.
        """
        self.get(name)
        if (await self._client.names(self._names.objects(name), "", 1, False)).tags:
            raise BucketNotEmpty(f"there are objects in the bucket {name}")

    async def remove(self, name: str) -> None:
        """Remove a bucket that has no objects, and nobody puts anything into it by C{turns}."""
        doomed = await self._record(self.get(name), **{_DOOMED: True})
        # first here: nothing may come into it if it is not known whether it is gone
        del self._there[name]
        await self._records.remove(self._names.bucket(name), doomed)
