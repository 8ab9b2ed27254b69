"""Objects: put, get, remove.                                         [spec/04 section 2]"""

from __future__ import annotations

from contextlib import closing

from nova_tx.objectstore.access import WRITE, found, usable
from nova_tx.objectstore.action import OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.conditions import http_date, is_unchanged, part
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidRange, InvalidRequest, NotImplementedHere
from nova_tx.objectstore.grants import asked_grants
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.uploads import part_number, range_of_part

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
        for name in ("if-match", "if-none-match"):
            if name in call.headers:
                raise NotImplementedHere(f"PUT with {name} is not implemented")
        grants = await asked_grants(self.users, asked, bucket.owner)
        intake = Intake(call.headers, asked.payload, asked.caller.project, grants)
        facts = await self.store.receive(call.bucket, call.key, asked.request.body, intake)
        return Answer(200, {"etag": f'"{facts.etag}"', **checksum_headers(facts)})


class GetObject(Action):
    """An object, or a part of it."""

    methods = ("GET", "HEAD")
    place = OBJECT
    also = ("partNumber",)

    async def run(self, asked: Asked) -> Answer | None:
        call, request = asked.call, asked.request
        _, there = await found(self.store, asked.caller, call.bucket, call.key)
        with closing(there):
            facts = there.facts
            headers = object_headers(call, facts)
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
            elif call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
                headers.update(checksum_headers(facts))
            status = 206 if asked_for else 200
            await there.send(request, status, headers, first, count)
        return None


class DeleteObject(Action):
    """One that is not there is nothing."""

    methods = ("DELETE",)
    place = OBJECT

    async def run(self, asked: Asked) -> Answer:
        await usable(self.store, asked.caller, asked.call.bucket, WRITE)
        await self.store.remove(asked.call.bucket, asked.call.key)
        return Answer(204)


def _asked_for(call: Call, facts: Facts) -> tuple[int, int] | None:
    """The first byte and the count that are asked for; None is all of it."""
    number = call.query.get("partNumber")
    if number is None:
        return part(call.headers.get("range"), facts.size)
    if "range" in call.headers:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter.")
    found = range_of_part(facts, part_number(number))
    if not found[1] and facts.size:
        raise InvalidRange("the part has no bytes")
    return found if found[1] else None


def checksum_headers(facts: Facts) -> dict[str, str]:
    """The digests that an object was uploaded with."""
    return {f"x-amz-checksum-{name}": value for name, value in facts.checksums.items()}


def object_headers(call: Call, facts: Facts) -> dict[str, str]:
    """What is said of an object beside its bytes."""
    headers = {
        "content-type": "binary/octet-stream",
        **facts.headers,
        "etag": f'"{facts.etag}"',
        "last-modified": http_date(facts.modified),
        "accept-ranges": "bytes",
    }
    for name in _OVERRIDES:
        value = call.query.get(f"response-{name}")
        if value is not None:
            headers[name] = " ".join(value.split())
    return headers
