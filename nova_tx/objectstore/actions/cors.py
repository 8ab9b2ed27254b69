"""What pages of other origins may ask for."""

from __future__ import annotations

from dataclasses import replace

from nova_tx.objectstore.access import usable
from nova_tx.objectstore.action import BUCKET, OBJECT, SUBRESOURCES, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.cors import METHODS, answer_headers, listed, matching
from nova_tx.objectstore.documents import document
from nova_tx.objectstore.faults import AccessForbidden, BadRequest, NoSuchCORSConfiguration
from nova_tx.objectstore.xml_cors import configuration, read_rules


class GetBucketCors(Action):
    """The rules of a bucket."""

    methods = ("GET",)
    place = BUCKET
    marks = ("cors",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        if not bucket.cors:
            raise NoSuchCORSConfiguration("The CORS configuration does not exist")
        return xml_answer(configuration(bucket.cors))


class PutBucketCors(Action):
    """Other rules, instead of those there were."""

    methods = ("PUT",)
    place = BUCKET
    marks = ("cors",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        rules = read_rules(await document(asked, "CORSConfiguration"))
        await self.store.change_bucket(bucket.name, lambda found: replace(found, cors=rules))
        return Answer(200)


class DeleteBucketCors(Action):
    """None; if there were none that is nothing."""

    methods = ("DELETE",)
    place = BUCKET
    marks = ("cors",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        if bucket.cors:
            await self.store.change_bucket(bucket.name, lambda found: replace(found, cors=()))
        return Answer(204)


class OptionsObject(Action):
    """What a browser asks before it sends the request of a page; it does not say for whom."""

    methods = ("OPTIONS",)
    place = OBJECT
    also = tuple(SUBRESOURCES)

    async def run(self, asked: Asked) -> Answer:
        headers = asked.call.headers
        origin = headers.get("origin")
        method = headers.get("access-control-request-method")
        if not origin:
            raise BadRequest("Insufficient information. Origin request header needed.")
        if method not in METHODS:
            raise BadRequest(f"Invalid Access-Control-Request-Method: {method}")
        name = asked.call.bucket
        bucket = self.store.known(name) or await self.store.bucket(name)
        if not bucket.cors:
            raise AccessForbidden("CORSResponse: CORS is not enabled for this bucket.")
        wanted = listed(headers.get("access-control-request-headers", ""))
        rule = matching(bucket.cors, origin, method, wanted)
        if rule is None:
            raise AccessForbidden("CORSResponse: This CORS request is not allowed.")
        return Answer(200, answer_headers(rule, origin, wanted))


class OptionsBucket(OptionsObject):
    """The same of a bucket."""

    place = BUCKET
