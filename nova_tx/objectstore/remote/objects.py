"""
Objects in another S3: a record for each under the name of its key, and its bytes.

The record says all that is known of the object, holds its bytes if they are few, and else names
those that were stored before it: an object is there, or another one, with the record that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.facts import Facts, Listing, facts_of
from nova_tx.objectstore.faults import Damaged
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.names import LONGEST_KEY
from nova_tx.objectstore.pages import Page
from nova_tx.objectstore.remote.buckets import Buckets
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.garbage import Doubtful, Garbage, Owner, data_of
from nova_tx.objectstore.remote.names import LAST, Names, escaped, plain
from nova_tx.objectstore.remote.records import PAGE, Known, Record, Records, again
from nova_tx.objectstore.remote.turns import Turns

#: Ids of bytes and how many they are, in order.
Data = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Kept:
    """
    An object.

    @ivar content: its bytes, if they are few.
    @ivar data: else where they are.
    @ivar upload: the upload that it came by, if it came in parts.
    """

    facts: Facts
    content: bytes = b""
    data: Data = ()
    upload: str = ""


def _kept(name: str, record: Record) -> Kept:
    known = record.known
    data = tuple((str(id_), int(size)) for id_, size in known.get("data", ()))
    kept = Kept(_facts(name, known), record.content, data, known.get("upload", ""))
    if kept.facts.size != len(kept.content) + sum(size for _, size in data):
        raise Damaged(f"{name}, in the S3 behind this one, has not the bytes that it should have")
    return kept


def _facts(name: str, known: Known) -> Facts:
    try:
        return facts_of(known["facts"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{name}, in the S3 behind this one, is damaged: {error}") from None


class Objects:
    """Objects in buckets."""

    def __init__(
        self,
        client: Client,
        records: Records,
        names: Names,
        turns: Turns,
        buckets: Buckets,
        garbage: Garbage,
    ) -> None:
        """
        @param turns: by C{("object", bucket, key)}: who replaces or removes it.
        """
        self._client = client
        self._records = records
        self._names = names
        self._turns = turns
        self._buckets = buckets
        self._garbage = garbage

    def check(self, bucket: str, key: str) -> str:
        """
        The name of an object that could be there.

        @raise BucketNotFound, InvalidBucketName, KeyTooLong: it couldn't.
        """
        return self._names.object(self._buckets.get(bucket).name, key)

    async def get(self, bucket: str, key: str) -> Kept:
        """
        An object.

        @raise BucketNotFound, KeyNotFound: there is none.
        """
        found = await self.record(bucket, key)
        if found is None:
            raise KeyNotFound("the key does not exist")
        return _kept(self.check(bucket, key), found)

    async def record(self, bucket: str, key: str) -> Record | None:
        """
        What there is of an object.

        @raise BucketNotFound: there is no such bucket.
        """
        return await self._records.get(self.check(bucket, key))

    async def commit(
        self,
        bucket: str,
        key: str,
        new: Kept,
        condition: Condition | None = None,
        doubts: tuple[Doubtful, ...] = (),
    ) -> None:
        """
        Make something the object; when this returns it is safe.

        @param doubts: of the bytes that it names.
        @raise BucketNotFound: the bucket was removed meanwhile.
        @raise PreconditionFailed: by the condition.
        """
        async with self._turns.together(("bucket", bucket)):
            await self.replace(bucket, key, new, condition, doubts)

    async def replace(
        self,
        bucket: str,
        key: str,
        new: Kept,
        condition: Condition | None,
        doubts: tuple[Doubtful, ...] = (),
    ) -> None:
        """Do what L{commit} does, for who has the bucket already."""
        async with self._turns.alone(("object", bucket, key)):
            old = await again(lambda: self._replace(bucket, key, new, condition, doubts))
        self._garbage.due(*old)
        self._garbage.kept(*doubts)

    async def _replace(
        self,
        bucket: str,
        key: str,
        new: Kept,
        condition: Condition | None,
        doubts: tuple[Doubtful, ...],
    ) -> list[Doubtful]:
        """Do it for who has the object; what becomes of the old one's bytes."""
        try:
            name = self.check(bucket, key)
            there = await self._records.get(name)
            if there is not None and new.upload and there.known["upload"] == new.upload:
                return []  # who made it the object was not told that it is
            old = await self._let_go(bucket, key, there, condition)
        except Exception:
            self._garbage.due(*doubts)
            raise
        # if this fails nobody knows what is there: doubts are left to the next start
        known = {"facts": vars(new.facts), "data": new.data, "upload": new.upload}
        await self._records.put(name, known, new.content, there)
        return old

    async def _let_go(
        self, bucket: str, key: str, there: Record | None, condition: Condition | None
    ) -> list[Doubtful]:
        """See that an object may be replaced or removed; what becomes of its bytes then."""
        if condition is not None:
            name = self._names.object(bucket, key)
            condition(None if there is None else _facts(name, there.known))
        data = data_of(there)
        if there is None or not data:
            return []
        upload = there.known["upload"]
        if upload:  # whose end may have failed: it must not have these bytes any more
            await self._records.remove(self._names.upload(bucket, key, upload))
        return [await self._garbage.doubt(data, Owner(bucket, key, upload))]

    async def change(self, bucket: str, key: str, change: Callable[[Facts], Facts]) -> Facts:
        """
        Change what is known of an object.

        @raise BucketNotFound, KeyNotFound: there is none.
        """

        async def changed() -> Facts:
            name = self.check(bucket, key)
            there = await self._records.get(name)
            if there is None:
                raise KeyNotFound("the key does not exist")
            facts = change(_facts(name, there.known))
            known = {**there.known, "facts": vars(facts)}
            await self._records.put(name, known, there.content, there)
            return facts

        async with self._turns.alone(("object", bucket, key)):
            return await again(changed)

    async def remove(self, bucket: str, key: str, condition: Condition | None) -> None:
        """
        Remove an object; one that is not there is nothing.

        @raise BucketNotFound: there is no such bucket.
        @raise PreconditionFailed: by the condition.
        """

        async def removed() -> list[Doubtful]:
            name = self.check(bucket, key)
            there = await self._records.get(name)
            old = await self._let_go(bucket, key, there, condition)
            if there is not None:
                await self._records.remove(name, there)
            return old

        async with self._turns.alone(("object", bucket, key)):
            old = await again(removed)
        self._garbage.due(*old)

    async def listing(
        self, bucket: str, prefix: str, after: str, delimiter: str, limit: int
    ) -> Listing:
        """
        The first C{limit} keys and common prefixes that begin with C{prefix} and come after
        C{after}.

        @raise BucketNotFound: there is no such bucket.
        """
        above = self._names.objects(self._buckets.get(bucket).name)
        first = above + escaped(prefix)
        page: Page[tuple[str, str]] = Page(prefix, after, delimiter, limit)
        if not limit or len(first.encode()) > LONGEST_KEY:
            return Listing((), (), None)
        start = _behind(page, above, after, page.common(after) == after) if after else ""
        within = page.common(after) if after.startswith(prefix) else None
        if within is not None and within != after:  # what is left of those is shown as one
            left = above + escaped(within)
            if len(left.encode()) <= LONGEST_KEY:
                found = await self._client.names(left, start, 1, False)
                for name, tag in found.tags.items():
                    page.add(plain(name.removeprefix(above)), (name, tag))
            start = _behind(page, above, within)
        group = delimiter == "/"
        more = True
        while more and not page.full:
            found = await self._client.names(first, start, min(PAGE, page.room + 1), group)
            more = found.more
            names = sorted({*found.tags, *found.prefixes}, key=str.encode)
            for name in names:
                key = plain(name.removeprefix(above))
                if key.encode() > after.encode():
                    page.add(key, (name, found.tags.get(name, "")))
            if not names:
                break
            ahead = _behind(page, above, plain(names[-1].removeprefix(above)))
            if ahead.encode() <= start.encode():  # there is no room for more of it: key by key
                group, ahead = False, names[-1]
            start = ahead
        known = await self._records.seen([listed for _, listed in page.found])
        objects = tuple(
            (key, _facts(name, each))
            for (key, (name, _)), each in zip(page.found, known, strict=True)
            if each is not None
        )
        return Listing(objects, tuple(page.prefixes), page.end)


def _behind(page: Page[tuple[str, str]], above: str, key: str, passed: bool = True) -> str:
    """
    The name after which those come that are not shown as one with a key; as far as S3 goes.

    @param passed: they were shown; else they come, too.
    """
    common = page.common(key) if passed else None
    text = above + (escaped(key) if common is None else escaped(common) + LAST)
    return text.encode()[:LONGEST_KEY].decode("utf-8", "ignore")
