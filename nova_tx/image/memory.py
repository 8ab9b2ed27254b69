"""Images that live as long as the process: for tests."""

from __future__ import annotations

from dataclasses import replace

from zope.interface import implementer

from nova_tx.context import RequestContext
from nova_tx.errors import (
    DuplicateImageName,
    ForeignImage,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
)
from nova_tx.ids import new_image_id
from nova_tx.image.interfaces import IImages
from nova_tx.image.permissions import changed, may_change, may_see, seen
from nova_tx.model.images import Image, ImageChange, ImageSource, NewImage


def machine_image(image_id: str, owner: str, *, is_public: bool = False, state: str) -> Image:
    """An image to boot from, without kernel and ramdisk."""
    return Image(
        id=image_id,
        location=f"bucket/{image_id}.manifest.xml",
        owner=owner,
        is_public=is_public,
        architecture="x86_64",
        type="machine",
        state=state,
        state_reason=None,
        kernel_id=None,
        ramdisk_id=None,
        display_name="",
        description=None,
        size=None,
    )


@implementer(IImages)
class MemoryImages:
    """
    A dictionary of images and their contents.

    @ivar bundles: contents by C{bucket/manifest}, with the project that may
        register them; an image is available at once.
    @ivar projects: to which an image can be opened; None: to any.
    """

    names = ("memory",)

    def __init__(self) -> None:
        self._images: dict[str, tuple[Image, bytes]] = {}
        self.bundles: dict[str, tuple[str, bytes]] = {}
        self.projects: frozenset[str] | None = None

    def add(self, image: Image, content: bytes = b"") -> None:
        """Put an image there, or another in its place."""
        self._images[image.id] = (replace(image, size=len(content)), content)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        return tuple(
            seen(context, image)
            for image_id, (image, _) in sorted(self._images.items())
            if (not image_ids or image_id in image_ids) and may_see(context, image)
        )

    async def show(self, context: RequestContext, image_id: str) -> Image:
        return seen(context, self._find(context, image_id)[0])

    async def register(self, context: RequestContext, new: NewImage) -> str:
        bucket, _, key = new.location.partition("/")
        if not (bucket and key):
            raise InvalidInput(f"{new.location!r} is not of the form bucket/manifest")
        owner, content = self.bundles.get(new.location, (None, b""))
        if owner is None or not (context.is_admin or owner == context.project):
            raise ImageNotFound(f"there is nothing at {new.location}")
        self._check_name(str(context.project), new.name)
        image = replace(
            machine_image(new_image_id(), str(context.project), state="available"),
            location=new.location,
            architecture=new.architecture or "x86_64",
            type=new.type,
            kernel_id=new.kernel_id if new.type == "machine" else None,
            ramdisk_id=new.ramdisk_id if new.type == "machine" else None,
            display_name=new.name,
            description=new.description,
        )
        self.add(image, content)
        return image.id

    def _check_name(self, owner: str, name: str) -> None:
        for image, _ in self._images.values():
            same = (image.owner, image.display_name) == (owner, name)
            if name and same and image.state != "failed":
                raise DuplicateImageName(f"AMI name {name} is already in use by AMI {image.id}")

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        owner = str(context.project)
        self._check_name(owner, name)
        image = replace(
            machine_image(new_image_id(), owner, state="pending"),
            location=f"{owner}/{name}",
            architecture=source.architecture,
            kernel_id=source.kernel_id,
            ramdisk_id=source.ramdisk_id,
            instance_id=source.instance_id,
            display_name=name,
            description=description,
        )
        self._images[image.id] = (image, b"")
        return image.id

    async def bring(self, context: RequestContext, image_id: str, path: str) -> None:
        image = self._owned(context, image_id)
        if image.instance_id is None or image.state not in ("pending", "available"):
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        if image.state == "pending":
            with open(path, "rb") as file:
                content = file.read()
            if not content or content.startswith(b"QFI\xfb"):
                raise ImageError("the file is no raw disk")
            self.add(replace(image, state="available"), content)

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        image = self._owned(context, image_id)
        if image.instance_id is not None and image.state == "pending":
            failed = replace(image, state="failed", state_reason=reason)
            self._images[image_id] = (failed, b"")

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        image = self._owned(context, image_id)
        for project in wanted.add:
            if self.projects is not None and project not in self.projects:
                raise InvalidLaunchPermission(f"there is no project {project}")
        self._images[image_id] = (changed(image, wanted), self._images[image_id][1])

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        del self._images[self._owned(context, image_id).id]

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        image, content = self._find(context, image_id)
        if image.state != "available":
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        with open(path, "wb") as file:
            return file.write(content)

    def _owned(self, context: RequestContext, image_id: str) -> Image:
        image, _ = self._find(context, image_id)
        if not may_change(context, image):
            raise ForeignImage(f"Not authorized for image:{image_id}")
        return image

    def _find(self, context: RequestContext, image_id: str) -> tuple[Image, bytes]:
        found = self._images.get(image_id)
        if found is None or not may_see(context, found[0]):
            raise ImageNotFound(f"The image id '{image_id}' does not exist")
        return found
