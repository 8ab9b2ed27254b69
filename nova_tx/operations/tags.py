"""Tags: a project's notes on resources.                               [AWS API, "CreateTags"]"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from twisted.internet.interfaces import IReactorTime

from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import Database
from nova_tx.errors import InvalidInput, TooManyTags
from nova_tx.flags import Ec2Flags
from nova_tx.image.interfaces import IImages
from nova_tx.model.instances import Tag
from nova_tx.operations.clock import moment

#: Characters that a key and a value may have.
LONGEST_KEY, LONGEST_VALUE = 127, 255
#: What keys begin with that are not users' to write.
RESERVED = "aws:"


class Tags:
    """What a user may do with tags."""

    def __init__(
        self, database: Database, images: IImages, ec2: Ec2Flags, clock: IReactorTime
    ) -> None:
        self._database = database
        self._images = images
        self._listed_for = timedelta(seconds=ec2.terminated_instance_seconds)
        self._clock = clock

    async def create(
        self, context: RequestContext, ids: Sequence[str], given: Iterable[tuple[str, str]]
    ) -> None:
        """
        Tag resources, all or none; a tag that is there already gets the new value.

        @raise MalformedId, NotFound: one is not there, by the error of its kind.
        @raise InvalidInput, TooManyTags: see L{check_tags}; L{nova_tx.db.tags.create}.
        """
        checked = check_tags(given)
        unique = tuple(dict.fromkeys(ids))
        images = await self._images_among(context, unique)
        await self._database.run(
            tags.create,
            context,
            unique,
            checked,
            images,
            self._listed_after(),
            moment(self._clock),
        )

    async def delete(
        self, context: RequestContext, ids: Sequence[str], keys: Sequence[tuple[str, str | None]]
    ) -> None:
        """
        Take tags off resources; one that is not there is no error.

        @param keys: each with the value that it must have, None for any; all tags if there are
            none.
        @raise MalformedId, NotFound: a resource is not there, by the error of its kind.
        """
        unique = tuple(dict.fromkeys(ids))
        images = await self._images_among(context, unique)
        await self._database.run(tags.remove, context, unique, keys, images, self._listed_after())

    async def listed(self, context: RequestContext, ids: Sequence[str] = ()) -> tuple[Tag, ...]:
        """The tags that the caller's project gave; of these resources only, if any are given."""
        return await self._database.read(tags.listed, context.project, self._listed_after(), ids)

    async def of(self, context: RequestContext, resource_type: str) -> dict[str, dict[str, str]]:
        """
        What the caller's project noted on all resources of a type, by their ids, in one query.

        @param resource_type: as AWS calls it: C{image}, C{key-pair} …
        """
        return await self._database.read(
            tags.of, context.project, resource_type, self._listed_after()
        )

    async def _images_among(self, context: RequestContext, ids: Sequence[str]) -> tuple[str, ...]:
        """The images among these resources that the caller may see: another service has them."""
        wanted = tuple(each for each in ids if tags.kind(each).name == "image")
        found = await self._images.list(context, wanted) if wanted else ()
        return tuple(image.id for image in found)

    def _listed_after(self) -> datetime:
        """Instances that ended before are gone."""
        return moment(self._clock) - self._listed_for


def check_tags(given: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """
    Tags by key, each of which may be written.

    @raise InvalidInput: a key or value is too long, or a key reserved or there twice.
    @raise TooManyTags: no resource may have as many.
    """
    found: dict[str, str] = {}
    for key, value in given:
        if not 1 <= len(key) <= LONGEST_KEY:
            raise InvalidInput(f"A tag's key has 1 to {LONGEST_KEY} characters")
        if len(value) > LONGEST_VALUE:
            raise InvalidInput(f"A tag's value has at most {LONGEST_VALUE} characters")
        if key.lower().startswith(RESERVED):
            raise InvalidInput(f"Tag keys starting with '{RESERVED}' are reserved: '{key}'")
        if key in found:
            raise InvalidInput(f"Duplicate tag key '{key}' specified.")
        found[key] = value
    if len(found) > tags.MOST:
        raise TooManyTags(f"A resource can have {tags.MOST} tags")
    return found
