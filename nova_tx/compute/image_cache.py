"""
Images on this host: each is fetched once, and is there whole or not at all.   [spec/07 section 6]

C{_base/<image id>} in the instances' directory.  What is being made has
C{+part} at the end of its name (no image id has a plus), here and where the
driver grows images; such a left-over is removed at start.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx.context import RequestContext
from nova_tx.errors import ImageError
from nova_tx.ids import check_image_id
from nova_tx.image.interfaces import IImages
from nova_tx.once import Once

_log = Logger()

#: End of the name of a file that is not whole.
PART = "+part"
#: End of the name of one that is to be removed: a left-over, too.
_GONE = "+gone" + PART


class ImageCache:
    """Files of images, shared by the guests of a host."""

    def __init__(
        self, images: IImages, instances_path: str, clock: Callable[[], float] = time.time
    ) -> None:
        """
        @param clock: seconds since 1970.
        """
        self._images = images
        self._clock = clock
        self._used: dict[str, float] = {}
        self._path = os.path.join(instances_path, "_base")
        self._fetching: Once[str] = Once()

    async def open(self) -> None:
        """Make the directory; remove what an earlier run left half made."""
        await deferToThread(_prepare, self._path)

    async def file(self, context: RequestContext, image_id: str) -> str:
        """
        Path of an image's file, fetched if it is not here.

        @raise MalformedImageId: it is no image id.
        @raise ImageNotFound, ImageUnavailable: as L{IImages.fetch}.
        @raise ImageError: as that, twice.
        @raise Unavailable: the image service is away, perhaps since it began to answer.
        """
        path = os.path.join(self._path, check_image_id(image_id))
        self._used[image_id] = self._clock()
        if not os.path.exists(path):
            await self._fetching.do(path, lambda: self._fetch(context, image_id, path))
        return path

    async def trim(
        self,
        unneeded: Callable[[Collection[str]], Awaitable[Collection[str]]],
        seconds: float,
    ) -> None:
        """
        Remove the files of images that nobody needs, and that were not used for a while.

        Whoever asks for one meanwhile has it, or fetches it again: between the last look at its
        use and the end of its name nothing else happens in this process.

        @param unneeded: of some images, those that no guest and no user needs.
        @param seconds: how long since its last use a file is kept.
        """
        files = await deferToThread(_files, self._path)
        old = {each for each, found in files.items() if self._is_old(each, found, seconds)}
        if not old:
            return
        renamed = []
        for image_id in await unneeded(old):
            if self._is_old(image_id, files[image_id], seconds):
                renamed += [_put_aside(self._path, name) for name, _ in files[image_id]]
                self._used.pop(image_id, None)
                _log.info("image {id} is not kept here any more", id=image_id)
        await deferToThread(_remove, renamed)

    def _is_old(self, image_id: str, files: Iterable[tuple[str, float]], seconds: float) -> bool:
        used = max(self._used.get(image_id, 0.0), *(changed for _, changed in files))
        whole = not any(name.endswith(PART) for name, _ in files)
        return whole and used + seconds <= self._clock()

    async def _fetch(self, context: RequestContext, image_id: str, path: str) -> str:
        try:
            await self._transfer(context, image_id, path)
        except ImageError as error:
            # of a service that has ended meanwhile nothing bad is known of the image: it is away
            _log.warn("image {id} is fetched again: {error}", id=image_id, error=str(error))
            await self._transfer(context, image_id, path)
        return path

    async def _transfer(self, context: RequestContext, image_id: str, path: str) -> None:
        part = path + PART
        size = await self._images.fetch(context, image_id, part)
        await deferToThread(_keep, part, path, size)


def _prepare(directory: str) -> None:
    os.makedirs(directory, exist_ok=True)
    for each in (os.path.dirname(directory), directory):
        # qemu's user passes through, and can't list what there is
        os.chmod(each, os.stat(each).st_mode | 0o111)
    for name in os.listdir(directory):
        if name.endswith(PART):
            os.unlink(os.path.join(directory, name))


def _files(directory: str) -> dict[str, list[tuple[str, float]]]:
    """The files of each image, grown ones too: name, and when they were changed."""
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    with os.scandir(directory) as entries:
        for each in entries:
            with suppress(FileNotFoundError):  # it is whole now, and has its name
                found[each.name.partition("+")[0]].append((each.name, each.stat().st_mtime))
    return found


def _put_aside(directory: str, name: str) -> str:
    """Take a file's name away, which takes no time; returns the path that it has now."""
    aside = os.path.join(directory, name + _GONE)
    os.rename(os.path.join(directory, name), aside)
    return aside


def _remove(paths: Iterable[str]) -> None:
    for each in paths:
        os.unlink(each)


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
