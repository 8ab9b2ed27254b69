"""
Images in a directory that all hosts share.                            [spec/04 section 3]

Their rows are read where they are, in the database, and their files where
nova-objectstore puts them, in C{images_path}.  Bundles are its work with this
service, too: it registers and removes; nothing else goes over HTTP.

A file is brought under another name, and gets its own when it is whole and
safe: by a link, which is never made over another.  So what has an image's name
is its file, whoever brought it, and the row decides whether it is wanted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import BinaryIO

from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from nova_tx.auth.interfaces import IUsers
from nova_tx.context import RequestContext
from nova_tx.db import images
from nova_tx.db.engine import Database
from nova_tx.errors import ImageError, ImageNotFound, ImageUnavailable, Unavailable, WrongState
from nova_tx.flags import ImageFlags, S3Flags
from nova_tx.image.copying import copy
from nova_tx.image.formats import check_raw
from nova_tx.image.interfaces import IImages
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.image.rows import ImageRows
from nova_tx.image.shelf import ImageFiles
from nova_tx.model.images import Image, ImageChange, ImageSource, NewImage


@implementer(IImages)
class LocalImages:
    """Rows and files, both within reach."""

    names = ("nova.image.local.LocalImageService", "local")

    def __init__(
        self,
        flags: ImageFlags,
        s3: S3Flags,
        users: IUsers,
        database: Database,
        reactor: IReactorTime,
    ) -> None:
        self._objectstore = ObjectstoreImages(s3, users, reactor)
        self._rows = ImageRows(database, users)
        self._files = ImageFiles(flags.images_path)
        self._max_bytes = flags.image_max_bytes

    async def open(self) -> None:
        """See L{ObjectstoreImages.open}."""
        await self._objectstore.open()

    async def close(self) -> None:
        await self._objectstore.close()

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        return await self._rows.list(context, image_ids)

    async def show(self, context: RequestContext, image_id: str) -> Image:
        return await self._rows.show(context, image_id)

    async def register(self, context: RequestContext, new: NewImage) -> str:
        return await self._objectstore.register(context, new)

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        return await self._rows.announce(context, source, name, description)

    async def bring(self, context: RequestContext, image_id: str, path: str) -> None:
        if not await self._awaited(context, image_id):
            return
        await deferToThread(check_raw, path)
        part = await deferToThread(self._files.part, image_id)
        with _alone(part) as target, open(path, "rb") as source:
            size = await copy(source, target)
            if not 0 < size <= self._max_bytes:
                raise ImageError(f"the file has {size} bytes, not 1 to {self._max_bytes}")
            await deferToThread(os.fsync, target.fileno())
            if await self._awaited(context, image_id):
                size = await deferToThread(self._files.name, part, image_id)
                await self._tell(context, image_id, size)

    async def _awaited(self, context: RequestContext, image_id: str) -> bool:
        """
        Whether an image waits for its file; if not, it is there.

        @raise ImageUnavailable: neither.
        """
        image = await self._rows.owned(context, image_id)
        if image.instance_id is None:
            raise ImageUnavailable(f"image {image_id} was not announced")
        if image.state not in (images.PENDING, images.AVAILABLE):
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        return image.state == images.PENDING

    async def _tell(self, context: RequestContext, image_id: str, size: int) -> None:
        """Say in its row that an image has its file; remove that, if it is wanted no more."""
        try:
            await self._rows.database.run(
                images.advance, image_id, images.PENDING, images.AVAILABLE, size=size
            )
        except WrongState:
            try:
                await self._awaited(context, image_id)  # another one brought it
            except (ImageNotFound, ImageUnavailable):
                await deferToThread(self._files.discard, image_id)
                raise

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        if await self._rows.abandon(context, image_id, reason):
            await deferToThread(self._files.discard, image_id)

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        await self._rows.change(context, image_id, wanted)

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        await self._objectstore.deregister(context, image_id)

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        image = await self._rows.show(context, image_id)
        if image.state != images.AVAILABLE:
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        try:
            source = await deferToThread(open, self._files.file(image_id), "rb")
        except FileNotFoundError:
            raise ImageNotFound(
                f"the file of image {image_id} is not in this host's images_path"
            ) from None
        with source, open(path, "wb") as target:
            size = await copy(source, target)
        if size != image.size:
            raise ImageError(f"the file of image {image_id} has {size} bytes, not {image.size}")
        return size


@contextlib.contextmanager
def _alone(path: str) -> Iterator[BinaryIO]:
    """
    A file, emptied, that nobody else writes meanwhile; its name goes at the end.

    @raise Unavailable: somebody does.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with open(descriptor, "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unavailable("the image's file is just being brought") from None
        if not _is_at(descriptor, path):  # who had it before has just removed it
            raise Unavailable("the image's file was just brought")
        try:
            file.truncate()
            yield file
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
