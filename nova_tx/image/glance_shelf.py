"""What is in Glance, as this cloud has it: whose it is, and who sees it."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.threads import deferToThread

from nova_tx.context import RequestContext
from nova_tx.errors import ForeignImage, ImageNotFound, ImageUnavailable, Unavailable, WrongState
from nova_tx.image import glance_wire as wire
from nova_tx.image.formats import check_raw
from nova_tx.image.glance_client import Glance, asker
from nova_tx.image.glance_delivery import GlanceDelivery, together
from nova_tx.image.glance_ids import from_uuid, to_uuid
from nova_tx.image.glance_wire import Said
from nova_tx.image.permissions import changed, may_change, may_see, seen
from nova_tx.model.images import Image, ImageChange

#: Ids that one request names.
_IDS = 50
_TRIES = 3


class GlanceShelf:
    """
    Images in Glance.

    Our rules hold whatever Glance's account may see: an image is shown to, and
    fetched for, those whose it is or to whom it was opened.
    """

    def __init__(self, glance: Glance, delivery: GlanceDelivery) -> None:
        self._glance = glance
        self._delivery = delivery

    # Who asks sees.

    async def listed(
        self,
        context: RequestContext,
        ids: Iterable[str] = (),
        but: frozenset[str] = frozenset(),
        **filters: str,
    ) -> tuple[Image, ...]:
        """
        The images that the caller may see; of these ids only, if any are given.

        Those that others gave to the community are seen by who names them.

        @param but: ids of images that are passed over.
        """
        found = [
            each
            for each in await self._said(context, ids, {"visibility": "all", **filters})
            if _id(each) not in but and (ids or not wire.of_community(each, context.project))
        ]
        images = await together(self._seen(context, each) for each in found)
        return tuple(image for image in images if image is not None)

    async def _said(
        self, context: RequestContext, ids: Iterable[str], filters: dict[str, str]
    ) -> list[Said]:
        who = asker(context)
        if not ids:
            return await self._glance.list(who, **filters)
        uuids = [uuid for uuid in map(to_uuid, ids) if uuid is not None]
        some = [uuids[first : first + _IDS] for first in range(0, len(uuids), _IDS)]
        answers = await together(
            self._glance.list(who, id=f"in:{','.join(each)}", **filters) for each in some
        )
        return [said for answer in answers for said in answer]

    async def find(self, context: RequestContext, image_id: str) -> tuple[Said, Image]:
        """
        An image in Glance that the caller may see, as Glance has it and as the caller sees it.

        @raise ImageNotFound: there is none.
        """
        uuid = to_uuid(image_id)
        said = None if uuid is None else await self._glance.get(asker(context), uuid)
        image = None if said is None else await self._seen(context, said)
        if said is None or image is None:
            raise not_found(image_id)
        return said, image

    async def owned(self, context: RequestContext, image_id: str) -> tuple[Said, Image]:
        """
        An image in Glance that the caller may change.

        @raise ImageNotFound, ForeignImage: it is not there, or another project's.
        """
        said, image = await self.find(context, image_id)
        if not may_change(context, image):
            raise ForeignImage(f"Not authorized for image:{image_id}")
        return said, image

    async def _seen(self, context: RequestContext, said: Said) -> Image | None:
        """An image as the caller sees it; None: not at all."""
        if said.get("status") in ("deleted", "pending_delete"):
            return None
        image = _read(said, await self._members(context, said))
        return seen(context, image) if may_see(context, image) else None

    async def _members(self, context: RequestContext, said: Said) -> tuple[str, ...]:
        """Who an image is shared with."""
        if said.get("visibility") != wire.SHARED:
            return ()
        if self._glance.believes and not (context.is_admin or said["owner"] == context.project):
            return (str(context.project),)  # else it would not have been shown
        try:
            return await self._glance.members(asker(context), said["id"])
        except ImageNotFound:
            return ()

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        """As L{IImages.fetch}."""
        said, image = await self.find(context, image_id)
        if image.state != "available":
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        size = await self._glance.download(asker(context), said, path)
        await deferToThread(check_raw, path)
        return size

    # And changes.

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        """As L{IImages.change}; the projects are known to be there."""
        for _ in range(_TRIES):
            said, image = await self.owned(context, image_id)
            before, after = wire.changeable(image), wire.changeable(changed(image, wanted))
            differing = {name: after[name] for name in after if after[name] != before[name]}
            if "visibility" in differing:  # what says who may launch it is another then
                differing[wire.PROJECTS] = after[wire.PROJECTS]
            try:
                return await self._delivery.write(said, differing)
            except WrongState:  # another one changes it
                continue
        raise Unavailable(f"image {image_id} is changed by many")


def _read(said: Said, members: tuple[str, ...]) -> Image:
    try:
        return wire.read(said, members)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(f"Glance does not speak as it should: {error!r}") from None


def _id(said: Said) -> str:
    try:
        return from_uuid(str(said.get("id")))
    except ValueError:
        raise Unavailable("Glance does not speak as it should: an image without an id") from None


def not_found(image_id: str) -> ImageNotFound:
    """What is said of an image that is not there for who asks."""
    return ImageNotFound(f"The image id '{image_id}' does not exist")
