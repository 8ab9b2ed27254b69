"""The keys of a bucket, a page at a time."""

from __future__ import annotations

from nova_tx.objectstore import xml
from nova_tx.objectstore.access import READ, usable
from nova_tx.objectstore.action import BUCKET, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer
from nova_tx.objectstore.faults import InvalidArgument

_MOST_KEYS = 1000


class ListObjects(Action):
    """Both of S3's versions, by C{list-type}."""

    methods = ("GET",)
    place = BUCKET

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket, READ)
        query = asked.call.query
        version = 2 if query.get("list-type") == "2" else 1
        marker = query.get("marker", "")
        token = query.get("continuation-token")
        if version == 2:
            marker = query.get("start-after", "") if token is None else _decode(token)
        encoding = query.get("encoding-type")
        if encoding not in (None, "", "url"):
            raise InvalidArgument("encoding-type can only be url")
        limit = min(asked.call.number("max-keys", _MOST_KEYS), _MOST_KEYS)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        page = await self.store.listing(bucket.name, prefix, marker, delimiter, limit)
        return xml_answer(
            xml.listing(
                bucket,
                page,
                prefix=prefix,
                marker=marker,
                delimiter=delimiter,
                limit=limit,
                encode=encoding == "url",
                terse=query.get("terse") == "1",
                token=token,
                version=version,
            )
        )


def _decode(token: str) -> str:
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        raise InvalidArgument("the continuation token is not one of ours") from None
