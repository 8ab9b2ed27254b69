"""Copies of objects."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from nova_tx.objectstore import xml_multipart as xml
from nova_tx.objectstore.access import WRITE, usable
from nova_tx.objectstore.action import OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer, swallow, xml_answer
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.checksums import asked_algorithm
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import AccessDenied, InvalidArgument, InvalidRequest
from nova_tx.objectstore.grants import asked_grants
from nova_tx.objectstore.metadata import kept_headers
from nova_tx.objectstore.preconditions import to_replace
from nova_tx.objectstore.sources import SOURCE, check_size, source, source_of
from nova_tx.objectstore.tags import tags_of

_COPY, _REPLACE = "COPY", "REPLACE"


class CopyObject(Action):
    """An object once more, perhaps as the same, with other things known of it."""

    methods = ("PUT",)
    place = OBJECT
    header = SOURCE

    async def run(self, asked: Asked) -> Answer:
        call, headers = asked.call, asked.call.headers
        bucket = await usable(self.store, asked.caller, call.bucket, WRITE)
        await swallow(asked.request, asked.payload)
        replaces = _replaces(call, "metadata")
        if source_of(headers) == (call.bucket, call.key) and not replaces:
            raise InvalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself "
                "without changing the object's metadata, storage class, website redirect "
                "location or encryption attributes."
            )
        condition = to_replace(headers, asked.caller, bucket)
        kept = kept_headers(headers) if replaces else None
        tags = tags_of(headers) if _replaces(call, "tagging") else None
        grants = await asked_grants(self.users, asked, bucket.owner)

        def change(facts: Facts) -> Facts:
            return replace(
                facts,
                headers=facts.headers if kept is None else kept,
                owner=asked.caller.project,
                grants=grants,
                tags=facts.tags if tags is None else tags,
            )

        with closing(await source(self.store, asked)) as found:
            check_size(found.facts.size)
            owner = found.facts.owner or (await self.store.bucket(source_of(headers)[0])).owner
            if tags is None and found.facts.tags and not asked.caller.may_use(owner):
                raise AccessDenied("the tags are their owner's: give others, or none")
            algorithm = asked_algorithm(headers)
            facts = await self.store.copy(
                found, call.bucket, call.key, change, algorithm, condition
            )
        return xml_answer(xml.copied("CopyObjectResult", facts, facts.checksum_type))


def _replaces(call: Call, what: str) -> bool:
    """
    Whether something is told anew, and not copied.

    @raise InvalidArgument: neither.
    """
    directive = call.headers.get(f"x-amz-{what}-directive", _COPY)
    if directive not in (_COPY, _REPLACE):
        raise InvalidArgument(f"Unknown {what} directive.")
    return directive == _REPLACE
