"""Actions on tags.                                                     [AWS API, "CreateTags"]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nova_tx.api.ec2 import schema, tagging
from nova_tx.api.ec2.action import ALL, SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.listing import Filter, Listing, Noun
from nova_tx.context import RequestContext
from nova_tx.model.instances import Tag

_WILD = frozenset("*?\\")


def _tags(tag: Tag) -> dict[str, str]:
    return {tag.key: tag.value}


TAGS = Noun[Tag](
    key=lambda tag: f"{tag.resource_id} {tag.key}",
    filters={
        "key": lambda tag: (tag.key,),
        "resource-id": lambda tag: (tag.resource_id,),
        "resource-type": lambda tag: (tag.resource_type,),
        "value": lambda tag: (tag.value,),
    },
    tags=_tags,
)


class CreateTags(Action):
    """Tag resources, all or none."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        ids: tuple[str, ...] = schema.texts("ResourceId", required=True)
        tags: tuple[tagging.Tag, ...] = schema.structures("Tag", of=tagging.Tag, required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        given = [tag.pair for tag in params.tags]
        await self.operations.tags.create(context, params.ids, given)
        return {"return": True}


class DeleteTags(Action):
    """Take tags off resources: those named, with the value if one is named, or all."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params:
        ids: tuple[str, ...] = schema.texts("ResourceId", required=True)
        tags: tuple[tagging.Tag, ...] = schema.structures("Tag", of=tagging.Tag)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        keys = [(tag.key, tag.value) for tag in params.tags]
        await self.operations.tags.delete(context, params.ids, keys)
        return {"return": True}


class DescribeTags(Action):
    """List tags."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        pass

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        found = await self.operations.tags.listed(context, _plain_ids(params.filters))
        shown, more = TAGS.page(found, params)
        rows = [
            {
                "resourceId": tag.resource_id,
                "resourceType": tag.resource_type,
                "key": tag.key,
                "value": tag.value,
            }
            for tag in shown
        ]
        return {"tagSet": rows, **more}


def _plain_ids(filters: Sequence[Filter]) -> tuple[str, ...]:
    """The resources that one filter names without wildcards, so that no others are read."""
    for each in filters:
        if each.name == "resource-id" and not any(_WILD & set(value) for value in each.values):
            return each.values
    return ()
