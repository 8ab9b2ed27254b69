"""Images: list, register, make of an instance, change, forget.            [spec/04]"""

from __future__ import annotations

import re

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import announced_images, power, replays
from nova_tx.db.engine import Database
from nova_tx.errors import (
    DuplicateImageName,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    MalformedImageName,
    Unavailable,
)
from nova_tx.ids import check_image_id
from nova_tx.image.interfaces import IImages
from nova_tx.model.images import (
    ARCHITECTURES,
    ITSELF,
    AwaitedImage,
    Image,
    ImageChange,
    ImageSource,
    NewImage,
)
from nova_tx.operations.clock import moment
from nova_tx.operations.tags import check_tags
from nova_tx.operations.together import together
from nova_tx.recent import Recent

_log = Logger()

_NAME = re.compile(r"[A-Za-z0-9()\[\] ./'@_-]{3,128}\Z")


class Images:
    """What a user may do with images."""

    def __init__(
        self, images: IImages, database: Database, compute: ComputeClient, clock: IReactorTime
    ) -> None:
        self._images = images
        self._database = database
        self._compute = compute
        self._clock = clock
        self._usable: Recent[tuple[str | None, bool, str], Image] = Recent(clock)

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

    async def show(self, context: RequestContext, image_id: str) -> Image:
        """
        One image.

        @raise ImageNotFound: there is none that the caller may see.
        """
        return await self._images.show(context, image_id)

    async def usable(self, context: RequestContext, image_id: str) -> Image:
        """
        An image that can be booted from, as it was a moment ago: see L{nova_tx.recent}.

        @raise ImageNotFound, ImageUnavailable: it can't.
        """

        async def look_up() -> Image:
            image = await self._images.show(context, image_id)
            if image.state != "available":
                raise ImageUnavailable(f"The image '{image_id}' is {image.state}, not available")
            return image

        return await self._usable.find((context.project, context.is_admin, image_id), look_up)

    def forget(self, image_id: str) -> None:
        """Look that image up when it is next used."""
        self._usable.forget(lambda asked: asked[2] == image_id)

    async def register(self, context: RequestContext, new: NewImage) -> str:
        """
        Begin to make an image of what was uploaded; returns its id.

        @raise InvalidInput, ImageNotFound: there is nothing such, or no such kernel or ramdisk.
        @raise InvalidInput, TooManyTags: see L{check_tags}.
        @raise MalformedImageName, DuplicateImageName: the image can't have that name.
        @raise TooSoon, Replayed: as L{nova_tx.db.replays.claim}.
        """
        if new.name:
            check_name(new.name)
        check_tags(new.tags)
        check_new(new)
        for image_id in (new.kernel_id, new.ramdisk_id):
            if image_id not in (None, ITSELF):
                await self.show(context, str(image_id))
        await self._database.run(replays.claim, context, moment(self._clock))
        return await self._images.register(context, new)

    async def create(
        self,
        context: RequestContext,
        instance_id: int,
        name: str,
        description: str | None,
        no_reboot: bool,
        tags: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """
        Begin to make an image of the disk of an instance; returns its id.

        The rows say what is wanted; a host that can't be told now finds it there.

        @param no_reboot: its guest goes on meanwhile, whatever its file systems make of that.
        @param tags: of the image, see L{check_tags}.
        @raise MalformedImageName, DuplicateImageName: the image can't have that name.
        @raise InvalidInput, TooManyTags: nor those tags.
        @raise InstanceNotFound, Conflict: see L{nova_tx.db.power.request_image}.
        """
        check_name(name)
        check_tags(tags)
        # a refusal must not cost the guest a reboot; who takes the name now is refused later
        for image in await self._images.list(context):
            same = (image.owner, image.display_name) == (context.project, name)
            if same and image.state != "failed":
                raise DuplicateImageName(f"AMI name {name} is already in use by AMI {image.id}")
        instance = await self._database.run(power.request_image, context, instance_id, no_reboot)
        assert instance.host is not None
        source = ImageSource(
            instance.id,
            instance.kernel_id,
            instance.ramdisk_id,
            await self._architecture(context, instance.image_id),
            tags,
        )
        image_id = await self._images.announce(context, source, name, description)
        await self._tell(context, instance.host, instance.id, image_id)
        return image_id

    async def _architecture(self, context: RequestContext, image_id: str) -> str:
        """What an instance's processor is like: as its image was for, if that is still there."""
        try:
            return (await self._images.show(context, image_id)).architecture
        except ImageNotFound:
            return "x86_64"

    async def _tell(
        self, context: RequestContext, host: str, instance_id: int, image_id: str
    ) -> None:
        try:
            await self._compute.create_image(context, host, instance_id, image_id)
        except Unavailable as error:
            _log.warn(
                "host {host} could not be told to make image {image}: {error}",
                host=host,
                image=image_id,
                error=str(error),
            )

    async def resume(self) -> None:
        """
        Tell hosts again what an API that died may not have told them.

        Who hears of it twice finds the image there, or is making it.
        """
        waiting = await self._database.read(announced_images.awaited)
        await together(self._told_again(each) for each in waiting)

    async def _told_again(self, image: AwaitedImage) -> None:
        owner = admin_context(image.user_id, image.project_id)
        if image.host is None:
            await self._images.abandon(owner, image.image_id, "its instance is gone")
        else:
            await self._tell(owner, image.host, image.instance_id, image.image_id)

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        """
        Change texts and launch permissions of an image.

        @raise ImageNotFound, ForeignImage: it is not there, or another project's.
        @raise InvalidLaunchPermission: it is to be opened to a project that there is not.
        """
        try:
            await self._images.change(context, image_id, wanted)
        finally:
            self.forget(image_id)

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        """
        Forget an image.

        @raise ImageNotFound, ForeignImage: it is not there, or another project's.
        """
        try:
            await self._images.deregister(context, image_id)
        finally:
            self.forget(image_id)


def check_new(new: NewImage) -> None:
    """
    See that what is said of a new image makes sense.

    @raise InvalidInput: it does not.
    """
    if new.architecture not in (None, *ARCHITECTURES):
        raise InvalidInput(f"the architecture is none of {', '.join(ARCHITECTURES)}")
    for image_id in (new.kernel_id, new.ramdisk_id):
        if image_id not in (None, ITSELF):
            check_image_id(image_id)
    if new.kernel_id == new.ramdisk_id == ITSELF:
        raise InvalidInput("an image is not kernel and ramdisk at once")


def check_name(name: str) -> None:
    """
    See that an image can have a name.                                  [AWS API reference]

    @raise MalformedImageName: it can't.
    """
    if not _NAME.match(name):
        raise MalformedImageName(
            f"Invalid AMI name '{name}': AMI names must be between 3 and 128 characters long, and "
            "may contain letters, numbers, '(', ')', '[', ']', ' ', '.', '/', '-', ''', '@' and '_'"
        )
