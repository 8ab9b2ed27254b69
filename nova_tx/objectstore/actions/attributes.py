"""What is known of objects."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from nova_tx.objectstore import xml
from nova_tx.objectstore.access import found
from nova_tx.objectstore.action import OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer
from nova_tx.objectstore.conditions import http_date
from nova_tx.objectstore.faults import InvalidArgument
from nova_tx.objectstore.versions import VERSION

_ATTRIBUTES = "x-amz-object-attributes"
_KNOWN_ATTRIBUTES = frozenset(("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"))
_MOST_PARTS = 1000


class GetObjectAttributes(Action):
    """What is known of an object, without it."""

    methods = ("GET",)
    place = OBJECT
    marks = ("attributes",)
    also = (VERSION,)

    async def run(self, asked: Asked) -> Answer:
        call = asked.call
        wanted = {each.strip() for each in call.headers.get(_ATTRIBUTES, "").split(",")} - {""}
        if not wanted or wanted - _KNOWN_ATTRIBUTES:
            raise InvalidArgument(
                "Invalid attribute name specified.",
                ArgumentName=_ATTRIBUTES,
                ArgumentValue=call.headers.get(_ATTRIBUTES, ""),
            )
        after = _number(call.headers, "x-amz-part-number-marker", 0)
        limit = min(_number(call.headers, "x-amz-max-parts", _MOST_PARTS), _MOST_PARTS)
        _, there = await found(self.store, asked.caller, call.bucket, call.key)
        with closing(there):
            content = xml.attributes(there.facts, wanted, after, limit)
            modified = http_date(there.facts.modified)
        return Answer(200, {"content-type": xml.CONTENT_TYPE, "last-modified": modified}, content)


def _number(headers: Mapping[str, str], name: str, default: int) -> int:
    text = headers.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise InvalidArgument(f"{name} is not a number", ArgumentName=name, ArgumentValue=text)
    return int(text)
