"""Attributes of instances that their owner may change."""

from __future__ import annotations

from collections.abc import Collection

from twisted.internet.interfaces import IReactorTime

from nova_tx.context import RequestContext
from nova_tx.db import attributes
from nova_tx.db.attributes import STOPPED, THERE
from nova_tx.db.engine import Database
from nova_tx.errors import InvalidInput
from nova_tx.flags import ImageFlags, QuotaFlags
from nova_tx.ids import check_image_id
from nova_tx.operations.clock import moment
from nova_tx.operations.images import Images
from nova_tx.operations.instances import check_behavior, check_user_data


class Attributes:
    """
    What a user may change in an instance.

    All raise InstanceNotFound if it is not there, or another project's; Conflict if an
    administrator has locked it; WrongState if it is ending, or, as far as its guest is made
    of the attribute, not stopped.
    """

    def __init__(
        self,
        database: Database,
        images: Images,
        quotas: QuotaFlags,
        image: ImageFlags,
        clock: IReactorTime,
    ) -> None:
        self._database = database
        self._images = images
        self._quotas = quotas
        self._null_kernel = image.null_kernel
        self._clock = clock

    async def set_type(self, context: RequestContext, instance_id: int, name: str) -> None:
        """
        Another size, from its next start on.

        @raise InvalidInput: there is no such type.
        @raise QuotaExceeded: the project has not room for it.
        """
        await self._database.run(
            attributes.resize,
            context,
            instance_id,
            name,
            self._quotas,
            moment(self._clock),
        )

    async def set_user_data(self, context: RequestContext, instance_id: int, data: str) -> None:
        """
        Other user data, in base64; an empty text is none.

        @raise InvalidInput: see L{check_user_data}.
        """
        check_user_data(data)
        await self._change(context, instance_id, STOPPED, user_data=data or None)

    async def set_kernel(self, context: RequestContext, instance_id: int, image_id: str) -> None:
        """
        Another kernel, from its next start on; the null kernel: its disk boots by itself.

        @raise ImageNotFound, ImageUnavailable, InvalidInput: it is no kernel that can be used.
        """
        kernel = None
        if image_id != self._null_kernel:
            kernel = await self._boot_image(context, image_id, "kernel")
        await self._change(context, instance_id, STOPPED, kernel_id=kernel)

    async def set_ramdisk(self, context: RequestContext, instance_id: int, image_id: str) -> None:
        """
        Another ramdisk, from its next start on.

        @raise ImageNotFound, ImageUnavailable, InvalidInput: it is no ramdisk that can be used.
        """
        ramdisk = await self._boot_image(context, image_id, "ramdisk")
        await self._change(context, instance_id, STOPPED, ramdisk_id=ramdisk)

    async def reset_kernel(self, context: RequestContext, instance_id: int) -> None:
        """
        The kernel of its image.

        @raise ImageNotFound, ImageUnavailable: the image is gone.
        """
        row = await self._database.read(attributes.seen, context, instance_id)
        kernel = (await self._images.usable(context, row.image_id)).kernel_id
        kernel = None if kernel == self._null_kernel else kernel
        await self._change(context, instance_id, STOPPED, kernel_id=kernel)

    async def reset_ramdisk(self, context: RequestContext, instance_id: int) -> None:
        """
        The ramdisk of its image.

        @raise ImageNotFound, ImageUnavailable: the image is gone.
        """
        row = await self._database.read(attributes.seen, context, instance_id)
        ramdisk = (await self._images.usable(context, row.image_id)).ramdisk_id
        await self._change(context, instance_id, STOPPED, ramdisk_id=ramdisk)

    async def protect(self, context: RequestContext, instance_id: int, on: bool) -> None:
        """Refuse to terminate it, or no more."""
        await self._change(context, instance_id, THERE, disable_api_termination=on)

    async def set_behavior(self, context: RequestContext, instance_id: int, what: str) -> None:
        """
        What follows when its guest switches itself off.

        @raise InvalidInput: it is neither C{stop} nor C{terminate}.
        """
        await self._change(context, instance_id, THERE, shutdown_behavior=check_behavior(what))

    async def describe_as(
        self, context: RequestContext, instance_id: int, name: str | None, description: str | None
    ) -> None:
        """Another display name, another description; None leaves it.  [spec/15 A19]"""
        given = {"display_name": name, "display_description": description}
        said = {column: text for column, text in given.items() if text is not None}
        await self._change(context, instance_id, THERE, **said)

    async def _boot_image(self, context: RequestContext, image_id: str, type_: str) -> str:
        image = await self._images.usable(context, check_image_id(image_id))
        if image.type != type_:
            raise InvalidInput(f"The image id '{image.id}' is a {image.type}'s, not a {type_}'s")
        return image.id

    async def _change(
        self, context: RequestContext, instance_id: int, sources: Collection[str], **columns: object
    ) -> None:
        await self._database.run(attributes.change, context, instance_id, sources, **columns)
