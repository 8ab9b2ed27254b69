"""Who may do what with buckets and objects."""

from __future__ import annotations

from dataclasses import replace

from nova_tx.objectstore.access import READ_ACP, WRITE_ACP, changed, found, usable
from nova_tx.objectstore.action import BUCKET, OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer, swallow, xml_answer
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.facts import Grants
from nova_tx.objectstore.faults import (
    MalformedACL,
    MalformedXML,
    MissingSecurityHeader,
    UnexpectedContent,
)
from nova_tx.objectstore.grants import asks, checked, grants_of
from nova_tx.objectstore.versions import VERSION
from nova_tx.objectstore.xml_acl import acl, read_grants


class GetBucketAcl(Action):
    """What was granted on a bucket."""

    methods = ("GET",)
    place = BUCKET
    marks = ("acl",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket, READ_ACP)
        return xml_answer(acl(bucket.owner, bucket.grants))


class GetObjectAcl(Action):
    """What was granted on an object."""

    methods = ("GET",)
    place = OBJECT
    marks = ("acl",)
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        bucket, there = await found(self.store, asked.caller, call.bucket, call.key, READ_ACP)
        there.close()
        return xml_answer(acl(there.facts.owner or bucket.owner, there.facts.grants))


class PutBucketAcl(Action):
    """Other grants on a bucket, instead of those there were."""

    methods = ("PUT",)
    place = BUCKET
    marks = ("acl",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket, WRITE_ACP)
        grants = await self._wanted(asked, bucket.owner, bucket.owner)
        await self.store.change_bucket(bucket.name, lambda each: replace(each, grants=grants))
        return Answer(200)

    async def _wanted(self, asked: Asked, owner: str, bucket_owner: str) -> Grants:
        """
        What is to be granted, as the headers say, or the body.

        @raise MissingSecurityHeader: neither does.
        @raise UnexpectedContent: both do.
        """
        headers = asked.call.headers
        if asks(headers):
            if await swallow(asked.request, asked.payload):
                raise UnexpectedContent("This request does not support content")
            grants = grants_of(headers, owner, bucket_owner)
        elif asked.request.body.length == 0:
            raise MissingSecurityHeader("Your request was missing a required header: x-amz-acl")
        else:
            try:
                root = await document(asked, "AccessControlPolicy")
            except MalformedXML as error:
                raise MalformedACL(str(error)) from None
            grants = read_grants(root, owner)
        return await checked(self.users, grants, owner)


class PutObjectAcl(PutBucketAcl):
    """Other grants on an object, instead of those there were."""

    place = OBJECT
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        store, caller, call = self.store, asked.caller, asked.call
        bucket, there = await found(store, caller, call.bucket, call.key, WRITE_ACP)
        there.close()
        owner = there.facts.owner or bucket.owner
        grants = await self._wanted(asked, owner, bucket.owner)
        await changed(
            store,
            caller,
            call.bucket,
            call.key,
            WRITE_ACP,
            lambda facts: replace(facts, grants=grants),
        )
        return Answer(200)
