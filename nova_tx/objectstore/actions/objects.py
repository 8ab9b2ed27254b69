"""Objects: put, get, remove.                                         [spec/04 section 2]"""

from __future__ import annotations

from contextlib import closing

from nova_tx.errors import KeyNotFound
from nova_tx.objectstore.access import WRITE, found, usable
from nova_tx.objectstore.action import OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.conditions import http_date, is_unchanged, part, wanted_range
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import (
    InvalidArgument,
    InvalidRange,
    InvalidRequest,
)
from nova_tx.objectstore.grants import asked_grants
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.interfaces import Condition
from nova_tx.objectstore.lengths import check_length
from nova_tx.objectstore.metadata import given_headers
from nova_tx.objectstore.preconditions import to_remove, to_replace
from nova_tx.objectstore.tags import tags_of
from nova_tx.objectstore.uploads import part_number, range_of_part
from nova_tx.objectstore.versions import VERSION

_OVERRIDES = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)


class PutObject(Action):
    """A body becomes an object."""

    methods = ("PUT",)
    place = OBJECT

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        check_length(call.headers)
        condition = to_replace(call.headers, asked.caller, bucket)
        grants = await asked_grants(self.users, asked, bucket.owner)
        tags = tags_of(call.headers)
        intake = Intake(call.headers, asked.payload, asked.caller.project, grants, tags)
        body = asked.request.body
        if condition is not None and not body.small:
            await self._refuse_early(call, condition)
        facts = await self.store.receive(call.bucket, call.key, body, intake, condition)
        return Answer(200, {"etag": f'"{facts.etag}"', **checksum_headers(facts)})

    async def _refuse_early(self, call: Call, condition: Condition) -> None:
        """Before a long body has come in vain; what holds now is looked at again in the end."""
        try:
            there = await self.store.look(call.bucket, call.key)
        except KeyNotFound:
            condition(None)
            return
        with closing(there):
            condition(there.facts)


class GetObject(Action):
    """An object, or a part of it."""

    methods = ("GET", "HEAD")
    place = OBJECT
    also = ("partNumber", VERSION)

    async def run(self, asked: Asked) -> Answer | None:
        call, request = asked.call, asked.request
        if not asked.caller.known and any(f"response-{name}" in call.query for name in _OVERRIDES):
            raise InvalidRequest(
                "Request specific response headers cannot be used for anonymous GET requests."
            )
        bucket, there = await found(self.store, asked.caller, call.bucket, call.key)
        with closing(there):
            facts = there.facts
            headers = object_headers(call, facts)
            if facts.tags and asked.caller.may_use(facts.owner or bucket.owner):
                headers["x-amz-tagging-count"] = str(len(facts.tags))
            if is_unchanged(call.headers, facts):
                return Answer(304, headers)
            try:
                asked_for = _asked_for(call, facts)
            except InvalidRange:
                request.setHeader(b"content-range", b"bytes */%d" % facts.size)
                raise
            first, count = asked_for or (0, facts.size)
            if asked_for:
                headers["content-range"] = f"bytes {first}-{first + count - 1}/{facts.size}"
                if facts.parts and "partNumber" in call.query:
                    headers["x-amz-mp-parts-count"] = str(len(facts.parts))
            if count == facts.size and checksums_wanted(call):
                headers.update(checksum_headers(facts))
            status = 206 if asked_for else 200
            await there.send(request, status, headers, first, count)
        return None


class DeleteObject(Action):
    """One that is not there is nothing."""

    methods = ("DELETE",)
    place = OBJECT
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        condition = to_remove(call.headers, asked.caller, bucket)
        await self.store.remove(call.bucket, call.key, condition)
        return Answer(204)


def _asked_for(call: Call, facts: Facts) -> tuple[int, int] | None:
    """The first byte and the count that are asked for; None is all of it."""
    number = call.query.get("partNumber")
    if number is None:
        return part(wanted_range(call.headers, facts), facts.size)
    if "range" in call.headers:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter.")
    found = range_of_part(facts, part_number(number))
    if not found[1] and facts.size:
        raise InvalidRange("the part has no bytes")
    return found if found[1] else None


def checksums_wanted(call: Call) -> bool:
    """Whether the digests are to be told with an object."""
    return call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"


def checksum_headers(facts: Facts) -> dict[str, str]:
    """The digests that an object was uploaded with."""
    headers = {f"x-amz-checksum-{name}": value for name, value in facts.checksums.items()}
    if headers:
        headers["x-amz-checksum-type"] = facts.checksum_type
    return headers


def object_headers(call: Call, facts: Facts) -> dict[str, str]:
    """
    What is said of an object beside its bytes.

    @raise InvalidArgument: the query has what can't be a header.
    """
    headers = {
        "content-type": "binary/octet-stream",
        **given_headers(facts.headers),
        "etag": f'"{facts.etag}"',
        "last-modified": http_date(facts.modified),
        "accept-ranges": "bytes",
    }
    for name in _OVERRIDES:
        value = call.query.get(f"response-{name}")
        if value is not None:
            if not value.isprintable():
                raise InvalidArgument(
                    "Header value cannot be represented using ISO-8859-1.",
                    ArgumentName=f"response-{name}",
                    ArgumentValue=value,
                )
            headers[name] = value
    return headers
