"""The registry's rows, as image services have them that need not ask nova-objectstore."""

from __future__ import annotations

from nova_tx.auth.interfaces import IUsers
from nova_tx.context import RequestContext
from nova_tx.db import announced_images, image_permissions, images
from nova_tx.db.engine import Database
from nova_tx.errors import (
    Duplicate,
    DuplicateImageName,
    InvalidInput,
    InvalidLaunchPermission,
    Unavailable,
)
from nova_tx.ids import new_image_id
from nova_tx.model.images import Image, ImageChange, ImageSource

_TRIES = 3
#: Characters that texts of images may have.
_LONGEST = 255
#: Characters of a reason that are kept.
_REASON = 1000


class ImageRows:
    """Rows of images, in the name of who asks."""

    def __init__(self, database: Database, users: IUsers) -> None:
        """
        @param users: where the projects are that an image can be opened to.
        """
        self.database = database
        self._users = users

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        """As L{IImages.list}, in one transaction."""
        return await self.database.read(
            images.listed, context.project, context.is_admin, sorted(set(image_ids))
        )

    async def show(self, context: RequestContext, image_id: str) -> Image:
        """As L{IImages.show}."""
        return await self.database.read(images.get, context.project, context.is_admin, image_id)

    async def owned(self, context: RequestContext, image_id: str) -> Image:
        """
        One image that the caller may change.

        @raise ImageNotFound, ForeignImage: it is not there, or another project's.
        """
        return await self.database.read(images.owned, context.project, context.is_admin, image_id)

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        """As L{IImages.announce}."""
        _check(name, description)
        for _ in range(_TRIES):
            image_id = new_image_id()
            try:
                await self.database.run(
                    announced_images.announce, context, image_id, source, name, description
                )
                return image_id
            except DuplicateImageName:
                raise
            except Duplicate:
                continue
        raise Unavailable("no free image id was found")

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> bool:
        """As L{IImages.abandon}; returns whether the image was still to come."""
        await self.owned(context, image_id)
        return await self.database.run(announced_images.abandon, image_id, reason[:_REASON])

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        """As L{IImages.change}."""
        await self.owned(context, image_id)
        await self.check(wanted)
        await self.database.run(
            image_permissions.change, context.project, context.is_admin, image_id, wanted
        )

    async def check(self, wanted: ImageChange) -> None:
        """
        See that a change can be made.

        @raise InvalidInput, InvalidLaunchPermission: it can't.
        """
        _check(wanted.display_name, wanted.description)
        if not wanted.add:
            return
        known = {project.id for project in await self._users.projects()}
        for each in wanted.add:
            if each not in known:
                raise InvalidLaunchPermission(
                    f'Invalid attribute item value "{each}" for userId item type.'
                )


def _check(*texts: str | None) -> None:
    for text in texts:
        if text is not None and len(text) > _LONGEST:
            raise InvalidInput(f"a text has more than {_LONGEST} characters")
