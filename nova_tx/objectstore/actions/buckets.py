"""Buckets: list, make, look, remove."""

from __future__ import annotations

import time
from dataclasses import replace

from nova_tx.objectstore import xml
from nova_tx.objectstore.access import READ, usable
from nova_tx.objectstore.action import BUCKET, SERVICE, Action, Asked
from nova_tx.objectstore.answer import Answer, swallow, xml_answer
from nova_tx.objectstore.facts import Bucket
from nova_tx.objectstore.faults import AccessDenied
from nova_tx.objectstore.grants import asked_grants, asks


class ListBuckets(Action):
    """Those that the caller may use."""

    methods = ("GET", "HEAD")
    place = SERVICE

    async def run(self, asked: Asked) -> Answer:
        if not asked.caller.known:
            raise AccessDenied("Access Denied")
        found = await self.store.buckets()
        there = [each for each in found if asked.caller.may_use(each.owner)]
        return xml_answer(xml.buckets(there, asked.caller.project))


class CreateBucket(Action):
    """Its owner is the caller's project."""

    methods = ("PUT",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        name, owner = asked.call.bucket, asked.caller.project
        if not asked.caller.known:
            raise AccessDenied("Access Denied")
        await swallow(asked.request, asked.payload)
        grants = await asked_grants(self.users, asked, owner)
        made = await self.store.create(Bucket(name, owner, time.time(), grants))
        if made.grants != grants and asks(asked.call.headers):
            await self.store.change_bucket(name, lambda bucket: replace(bucket, grants=grants))
        return Answer(200, {"location": f"/{name}"})


class HeadBucket(Action):
    """Whether it is there, and may be read."""

    methods = ("HEAD",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket, READ)
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
    """The one region there is has no name."""

    methods = ("GET",)
    place = BUCKET
    marks = ("location",)

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket)
        return xml_answer(xml.location())
