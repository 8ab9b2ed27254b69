"""The keys of a bucket, a page at a time."""

from __future__ import annotations

from nova_tx.objectstore.access import READ, usable
from nova_tx.objectstore.action import BUCKET, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.faults import InvalidArgument
from nova_tx.objectstore.tokens import key_of, token_of
from nova_tx.objectstore.xml_listings import Listed, listing, listing_v2

_MOST_KEYS = 1000


class ListObjects(Action):
    """The first of S3's ways: a page begins after a key."""

    methods = ("GET",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket, READ)
        wanted = _wanted(asked.call)
        marker = asked.call.query.get("marker", "")
        page = await self.store.listing(
            bucket.name, wanted.prefix, marker, wanted.delimiter, wanted.limit
        )
        return xml_answer(listing(bucket, page, wanted, marker))


class ListObjectsV2(Action):
    """The second way: a page begins where the one before ended, as its token says."""

    methods = ("GET",)
    place = BUCKET
    marks = ("list-type",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket, READ)
        query = asked.call.query
        if query["list-type"] != "2":
            raise InvalidArgument(
                "Invalid List Type specified in Query",
                ArgumentName="list-type",
                ArgumentValue=query["list-type"],
            )
        wanted = _wanted(asked.call)
        after, token = query.get("start-after"), query.get("continuation-token")
        begin = (after or "") if token is None else key_of(token)
        page = await self.store.listing(
            bucket.name, wanted.prefix, begin, wanted.delimiter, wanted.limit
        )
        following = None if page.last is None else token_of(page.last)
        owners = query.get("fetch-owner", "").lower() == "true"
        return xml_answer(listing_v2(bucket, page, wanted, after, token, following, owners))


def _wanted(call: Call) -> Listed:
    """
    What of a bucket's keys is asked for.

    @raise InvalidArgument: it makes no sense.
    """
    encoding = call.query.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise InvalidArgument(
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=encoding,
        )
    return Listed(
        prefix=call.query.get("prefix", ""),
        delimiter=call.query.get("delimiter", ""),
        limit=min(call.number("max-keys", _MOST_KEYS), _MOST_KEYS),
        encode=encoding == "url",
        terse=call.query.get("terse") == "1",
    )
