"""Images: list, register, forget.                                      [spec/04]"""

from __future__ import annotations

from nova_tx.context import RequestContext
from nova_tx.errors import ImageNotFound
from nova_tx.image.interfaces import IImages
from nova_tx.model import Image


class Images:
    """What a user may do with images."""

    def __init__(self, images: IImages) -> None:
        self._images = images

    async def listed(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        """
        The images that the caller may see; of these ids only, if any are given.

        @raise ImageNotFound: there is none of one of the ids.
        """
        found = await self._images.list(context, image_ids)
        seen = {image.id for image in found}
        for image_id in image_ids:
            if image_id not in seen:
                raise ImageNotFound(f"The image id '{image_id}' does not exist")
        return found

    async def register(self, context: RequestContext, location: str) -> str:
        """
        Begin to make an image of an uploaded bundle; returns its id.

        @raise InvalidInput, ImageNotFound: there is no such bundle.
        """
        return await self._images.register(context, location)

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        """
        Forget an image.

        @raise ImageNotFound, Unauthorized: it is not there, or another project's.
        """
        await self._images.deregister(context, image_id)
