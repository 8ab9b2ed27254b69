"""
Images on this host: each is fetched once, and is there whole or not at all.   [spec/07 section 6]

C{_base/<image id>} in the instances' directory.  What is being made has
C{+part} at the end of its name (no image id has a plus), here and where the
driver grows images; such a left-over is removed at start.
"""

from __future__ import annotations

import os

from twisted.internet.threads import deferToThread

from nova_tx.context import RequestContext
from nova_tx.errors import ImageError
from nova_tx.ids import check_image_id
from nova_tx.image.interfaces import IImages
from nova_tx.once import Once

#: End of the name of a file that is not whole.
PART = "+part"


class ImageCache:
    """Files of images, shared by the guests of a host."""

    def __init__(self, images: IImages, instances_path: str) -> None:
        self._images = images
        self._path = os.path.join(instances_path, "_base")
        self._fetching: Once[str] = Once()

    async def open(self) -> None:
        """Make the directory; remove what an earlier run left half made."""
        await deferToThread(_prepare, self._path)

    async def file(self, context: RequestContext, image_id: str) -> str:
        """
        Path of an image's file, fetched if it is not here.

        @raise MalformedImageId: it is no image id.
        @raise ImageNotFound, ImageUnavailable, ImageError: as L{IImages.fetch}.
        """
        path = os.path.join(self._path, check_image_id(image_id))
        if not os.path.exists(path):
            await self._fetching.do(path, lambda: self._fetch(context, image_id, path))
        return path

    async def _fetch(self, context: RequestContext, image_id: str, path: str) -> str:
        part = path + PART
        size = await self._images.fetch(context, image_id, part)
        await deferToThread(_keep, part, path, size)
        return path


def _prepare(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    for each in (os.path.dirname(directory), directory):
        # qemu's user passes through, and can't list what there is
        os.chmod(each, os.stat(each).st_mode | 0o111)
    for name in os.listdir(directory):
        if name.endswith(PART):
            os.unlink(os.path.join(directory, name))


def _keep(part: str, path: str, size: int) -> None:
    """Make a file safe on disk, then give it its name."""
    with open(part, "rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise ImageError(f"an image of {size} bytes arrived as {found}")
        os.fchmod(file.fileno(), 0o600)
        os.fsync(file.fileno())
    os.rename(part, path)
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
