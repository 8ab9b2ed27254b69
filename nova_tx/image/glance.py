"""
Images in Glance.

What is there to boot from is Glance's: file, facts, permissions.  What is on
its way, or did not get there, has a row as with the other services: nova-objectstore
makes images of what is uploaded to it, compute hosts bring their guests' disks;
a row goes when Glance has all that it says, and until then it alone counts.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.threads import deferToThread
from zope.interface import implementer

from nova_tx.auth.interfaces import IUsers
from nova_tx.context import RequestContext
from nova_tx.db import images, settled_images, tags
from nova_tx.db.engine import Database, now
from nova_tx.errors import (
    DuplicateImageName,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    NovaError,
)
from nova_tx.flags import GlanceFlags, ImageFlags, S3Flags
from nova_tx.image.formats import check_raw
from nova_tx.image.glance_client import Glance
from nova_tx.image.glance_delivery import GlanceDelivery
from nova_tx.image.glance_shelf import GlanceShelf, not_found
from nova_tx.image.interfaces import IDepot, IImages
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.image.rows import ImageRows
from nova_tx.model.images import Image, ImageChange, ImageSource, NewImage


@implementer(IImages, IDepot)
class GlanceImages:
    """What is in Glance, and the rows of what is to come there."""

    names = ("nova.image.glance.GlanceImageService", "glance")

    def __init__(
        self,
        glance: GlanceFlags,
        s3: S3Flags,
        flags: ImageFlags,
        users: IUsers,
        database: Database,
        reactor: Any,
    ) -> None:
        self._glance = Glance(glance, reactor)
        self._delivery = GlanceDelivery(self._glance, reactor)
        self._shelf = GlanceShelf(self._glance, self._delivery)
        self._objectstore = ObjectstoreImages(s3, users, reactor)
        self._rows = ImageRows(database, users)
        self._database = database
        self._max_bytes = flags.image_max_bytes

    async def open(self) -> None:
        """See L{ObjectstoreImages.open}."""
        await self._objectstore.open()

    async def close(self) -> None:
        await self._glance.close()
        await self._objectstore.close()

    # What there is.

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        ids = sorted(set(image_ids))
        rows, known = await self._database.read(
            settled_images.known, context.project, context.is_admin, ids
        )
        elsewhere = [each for each in ids if each not in known]
        found = await self._shelf.listed(context, elsewhere, known) if elsewhere or not ids else ()
        return tuple(sorted((*rows, *found), key=lambda image: image.id))

    async def show(self, context: RequestContext, image_id: str) -> Image:
        rows, known = await self._database.read(
            settled_images.known, context.project, context.is_admin, (image_id,)
        )
        if rows:
            return rows[0]
        if image_id in known:
            raise not_found(image_id)
        return (await self._shelf.find(context, image_id))[1]

    # What is to come.

    async def register(self, context: RequestContext, new: NewImage) -> str:
        await self._check_name(context, new.name)
        return await self._objectstore.register(context, new)

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        await self._check_name(context, name)
        return await self._rows.announce(context, source, name, description)

    async def _check_name(self, context: RequestContext, name: str) -> None:
        """
        No image of the project in Glance has a name; the rows are looked at where they are made.

        @raise DuplicateImageName: one has it.
        """
        if not name:
            return
        owner = str(context.project)
        for image in await self._shelf.listed(context, owner=owner, name=name):
            if (image.owner, image.display_name) == (owner, name) and not await self._rowed(image):
                raise DuplicateImageName(f"AMI name {name} is already in use by AMI {image.id}")

    async def _rowed(self, image: Image) -> bool:
        """Whether an image has a row still, which says what it is."""
        return await self._database.read(settled_images.owner, image.id) is not None

    async def bring(self, context: RequestContext, image_id: str, path: str) -> None:
        try:
            row = await self._rows.owned(context, image_id)
        except ImageNotFound:
            _, row = await self._shelf.owned(context, image_id)
        if row.instance_id is None:
            raise ImageUnavailable(f"image {image_id} was not announced")
        if row.state == images.AVAILABLE:
            return
        if row.state != images.PENDING:
            raise ImageUnavailable(f"image {image_id} is {row.state}")
        await deferToThread(check_raw, path)
        await deferToThread(_check_size, path, self._max_bytes)
        await self.take(row, path)

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        try:
            row = await self._rows.owned(context, image_id)
        except ImageNotFound:
            await self._shelf.owned(context, image_id)
            return
        if row.state == images.PENDING:
            await self._delivery.discard(image_id, row.owner)  # of an upload that broke off
        await self._rows.abandon(context, image_id, reason)

    # What becomes of it.

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        try:
            return await self._rows.change(context, image_id, wanted)
        except ImageNotFound:
            pass
        await self._shelf.owned(context, image_id)
        await self._rows.check(wanted)
        await self._shelf.change(context, image_id, wanted)

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        try:
            await self._rows.owned(context, image_id)
        except ImageNotFound:
            await self._remove(context, image_id)
        else:
            await self.discard(image_id)
            try:
                return await self._objectstore.deregister(context, image_id)
            except ImageNotFound:
                pass  # it was settled just now, and is gone from Glance
        await self._database.run(tags.drop, image_id)

    async def _remove(self, context: RequestContext, image_id: str) -> None:
        """Remove what is in Glance; its tags end before, for we may not live to see it gone."""
        said, _ = await self._shelf.owned(context, image_id)
        await self._database.run(tags.end, image_id, now())
        try:
            await self._delivery.remove(said)
        except NovaError:
            await self._database.run(tags.go_on, image_id)
            raise

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        rows, _ = await self._database.read(
            settled_images.known, context.project, context.is_admin, (image_id,)
        )
        if rows and rows[0].state == images.AVAILABLE:  # of the time before Glance
            return await self._objectstore.fetch(context, image_id, path)
        if rows:
            raise ImageUnavailable(f"image {image_id} is {rows[0].state}")
        return await self._shelf.fetch(context, image_id, path)

    # From rows to Glance.

    async def take(self, image: Image, path: str) -> None:
        """See L{IDepot.take}."""
        uploaded = False
        try:
            current: Image | None = image
            while current is not None:
                if current.state != image.state:
                    raise ImageUnavailable(f"image {image.id} is {current.state}")
                uploaded |= await self._delivery.deliver(current, path)
                current = await self._database.run(settled_images.settle, current)
        except (ImageNotFound, ImageUnavailable):
            if uploaded:
                await self._delivery.discard(image.id, image.owner)
            raise

    async def discard(self, image_id: str) -> None:
        """See L{IDepot.discard}."""
        owner = await self._database.read(settled_images.owner, image_id)
        if owner is not None:
            await self._delivery.discard(image_id, owner)


def _check_size(path: str, most: int) -> None:
    size = os.path.getsize(path)
    if not 0 < size <= most:
        raise ImageError(f"the file has {size} bytes, not 1 to {most}")
