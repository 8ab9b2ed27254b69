"""Buckets: list, make, look, remove."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from nova_tx.errors import BucketNotFound
from nova_tx.objectstore import xml
from nova_tx.objectstore.access import READ, usable
from nova_tx.objectstore.action import BUCKET, SERVICE, Action, Asked
from nova_tx.objectstore.answer import Answer, swallow, xml_answer
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.faults import (
    AccessDenied,
    BucketAlreadyOwnedByYou,
    InvalidArgument,
    InvalidLocation,
    NotImplementedHere,
)
from nova_tx.objectstore.grants import asked_grants, asks
from nova_tx.objectstore.names import check_new_bucket
from nova_tx.objectstore.tags import MOST_OF_BUCKET, read_tags
from nova_tx.objectstore.tokens import key_of, token_of

_MOST_BUCKETS = 10_000
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}\Z")
#: What S3's first region is called, which a bucket is in unless told.
_FIRST = "us-east-1"


class ListBuckets(Action):
    """Those of the caller's project; an administrator's are all."""

    methods = ("GET", "HEAD")
    place = SERVICE

    async def run(self, asked: Asked) -> Answer:
        if not asked.caller.known:
            raise AccessDenied("Access Denied")
        query = asked.call.query
        prefix, token = query.get("prefix"), query.get("continuation-token")
        region = query.get("bucket-region")
        limit = asked.call.number("max-buckets", _MOST_BUCKETS)
        if not 0 < limit <= _MOST_BUCKETS:
            raise InvalidArgument(
                f"max-buckets is between 1 and {_MOST_BUCKETS}",
                ArgumentName="max-buckets",
                ArgumentValue=limit,
            )
        after = key_of(token) if token is not None else ""
        there = [
            each
            for each in await self.store.buckets()
            if asked.caller.may_use(each.owner)
            and each.name.startswith(prefix or "")
            and each.name > after
            and region in (None, xml.region(each))
        ]
        # all at once, as ever, unless pages are asked for
        paged = "max-buckets" in query or token is not None
        page = there[:limit] if paged else there
        following = token_of(page[-1].name) if len(page) < len(there) else None
        regions = paged or prefix is not None or region is not None
        project = asked.caller.project
        return xml_answer(xml.buckets(page, project, prefix, following, regions))


class CreateBucket(Action):
    """Its owner is the caller's project."""

    methods = ("PUT",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        call, owner = asked.call, asked.caller.project
        if not asked.caller.known:
            raise AccessDenied("Access Denied")
        name = call.bucket
        if not (call.of_2011 or await self._is_there(name)):
            check_new_bucket(name)
        location, tags = await _configuration(asked)
        grants = await asked_grants(self.users, asked, owner)
        new = Bucket(name, owner, time.time(), grants, tags, location=location)
        made = await self.store.create(new)
        if made != new:
            await self._again(made, new, asks(call.headers))
        return Answer(200, {"location": f"/{name}"})

    async def _is_there(self, name: str) -> bool:
        try:
            await self.store.bucket(name)
        except BucketNotFound:
            return False
        return True

    async def _again(self, made: Bucket, new: Bucket, granting: bool) -> None:
        """A bucket that the caller had: made again in the first region, which is nothing."""
        if made.location or new.location:
            raise BucketAlreadyOwnedByYou(
                "Your previous request to create the named bucket succeeded and you already own it."
            )
        if granting and made.grants != new.grants:
            await self.store.change_bucket(
                made.name, lambda bucket: replace(bucket, grants=new.grants)
            )


async def _configuration(asked: Asked) -> tuple[str, dict[str, str]]:
    """
    Where a bucket is to be, and its tags.

    @raise InvalidLocation, NotImplementedHere: it can't be there.
    """
    if asked.request.body.length == 0:
        await swallow(asked.request, asked.payload)
        return "", {}
    found = await document(asked, "CreateBucketConfiguration")
    for name in ("Location", "Bucket"):
        if found.find(name) is not None:
            raise NotImplementedHere("There are no directory buckets")
    found.only("LocationConstraint", "Tags")
    location = found.value("LocationConstraint", "").strip()
    if location and not _REGION.match(location):
        raise InvalidLocation(
            "The specified location-constraint is not valid", LocationConstraint=location
        )
    tags = found.find("Tags")
    return (
        "" if location == _FIRST else location,
        {} if tags is None else read_tags(tags, MOST_OF_BUCKET),
    )


class HeadBucket(Action):
    """Whether it is there, and may be read."""

    methods = ("HEAD",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        bucket = await self.store.bucket(asked.call.bucket)
        # told to those who may not look into it, too: where to ask is no secret
        asked.request.setHeader(b"x-amz-bucket-region", xml.region(bucket).encode())
        await usable(self.store, asked.caller, bucket.name, READ)
        return Answer(200, {"content-type": xml.CONTENT_TYPE})


class DeleteBucket(Action):
    """If it is empty."""

    methods = ("DELETE",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket)
        await self.store.remove_bucket(asked.call.bucket)
        return Answer(204)


class GetBucketLocation(Action):
    """The place that it was made for; S3's first region has no name."""

    methods = ("GET",)
    place = BUCKET
    marks = ("location",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        return xml_answer(xml.location(bucket))
