"""Tags of buckets and objects, which are their owners' alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from nova_tx.objectstore import xml
from nova_tx.objectstore.access import changed, found, usable
from nova_tx.objectstore.action import BUCKET, OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.faults import NoSuchTagSet
from nova_tx.objectstore.tags import MOST_OF_BUCKET, MOST_OF_OBJECT, read_tagging
from nova_tx.objectstore.versions import VERSION


class GetBucketTagging(Action):
    """Those that it has; none is an error, as S3 has it."""

    methods = ("GET",)
    place = BUCKET
    marks = ("tagging",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        if not bucket.tags:
            raise NoSuchTagSet("The TagSet does not exist")
        return xml_answer(xml.tagging(bucket.tags))


class PutBucketTagging(Action):
    """They replace those that it had."""

    methods = ("PUT",)
    place = BUCKET
    marks = ("tagging",)

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket)
        tags = await _tagging(asked, MOST_OF_BUCKET)
        await self._replace(asked, tags)
        return Answer(204)

    async def _replace(self, asked: Asked, tags: dict[str, str]) -> None:
        await self.store.change_bucket(asked.call.bucket, lambda bucket: replace(bucket, tags=tags))


class DeleteBucketTagging(PutBucketTagging):
    """It has none then."""

    methods = ("DELETE",)

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket)
        await self._replace(asked, {})
        return Answer(204)


class GetObjectTagging(Action):
    """Those that it has."""

    methods = ("GET",)
    place = OBJECT
    marks = ("tagging",)
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        _, there = await found(self.store, asked.caller, call.bucket, call.key, None)
        with closing(there):
            return xml_answer(xml.tagging(there.facts.tags))


class PutObjectTagging(Action):
    """They replace those that it had."""

    methods = ("PUT",)
    place = OBJECT
    marks = ("tagging",)
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        tags = await _tagging(asked, MOST_OF_OBJECT)
        await self._replace(asked, tags)
        return Answer(200)

    async def _replace(self, asked: Asked, tags: dict[str, str]) -> None:
        call = asked.call
        await changed(
            self.store,
            asked.caller,
            call.bucket,
            call.key,
            None,
            lambda facts: replace(facts, tags=tags),
        )


class DeleteObjectTagging(PutObjectTagging):
    """It has none then."""

    methods = ("DELETE",)

    async def run(self, asked: Asked) -> Answer:
        await self._replace(asked, {})
        return Answer(204)


async def _tagging(asked: Asked, most: int) -> dict[str, str]:
    return read_tagging(await document(asked, "Tagging"), most)
