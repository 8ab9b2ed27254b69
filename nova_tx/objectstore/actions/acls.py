"""Who may do what with buckets and objects."""

from __future__ import annotations

from nova_tx.objectstore import xml
from nova_tx.objectstore.access import usable
from nova_tx.objectstore.action import BUCKET, OBJECT, Action, Asked
from nova_tx.objectstore.answer import Answer, xml_answer


class GetBucketAcl(Action):
    """All of it is the project's."""

    methods = ("GET",)
    place = BUCKET
    marks = ("acl",)

    async def run(self, asked: Asked) -> Answer:
        bucket = await usable(self.store, asked.caller, asked.call.bucket)
        return xml_answer(xml.acl(bucket.owner))


class GetObjectAcl(GetBucketAcl):
    """The same as its bucket's."""

    place = OBJECT
