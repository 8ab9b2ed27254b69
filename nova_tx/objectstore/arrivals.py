"""
Images whose files are brought as they are, by compute hosts: disks of instances.

A file comes whole, is checked and safe on the disk before its row says available;
until then there is nothing to see.  Bringing it again is harmless.  One that has its
place while its row does not say so goes with the next that is brought, or with the image.
"""

from __future__ import annotations

import os
import shutil
from typing import BinaryIO

from nova_tx.auth.s3_payload import Payload
from nova_tx.context import RequestContext
from nova_tx.db import announced_images, images
from nova_tx.db.engine import Database
from nova_tx.errors import ImageError, ImageUnavailable, WrongState
from nova_tx.image.formats import check_raw
from nova_tx.model.images import Image
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.disk.files import Writer
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool


class Arrivals:
    """Takes in the files of announced images."""

    def __init__(self, shelf: Shelf, max_bytes: int, database: Database, bodies: IPool) -> None:
        """
        @param max_bytes: size of the largest image.
        @param bodies: where files are taken in.
        """
        self._shelf = shelf
        self._max_bytes = max_bytes
        self._database = database
        self._bodies = bodies

    async def receive(
        self, context: RequestContext, image_id: str, body: Body, payload: Payload
    ) -> None:
        """
        Take in the file of an image; nothing if it is there already.

        @raise ImageNotFound, Unauthorized: the image is not there, or another project's.
        @raise ImageUnavailable: nobody waits for its file.
        @raise ImageError: the file is none of an image.
        @raise MalformedPayload, PayloadMismatch, SignatureMismatch: nor what was signed.
        @raise ConnectionLost: the client went away.
        """
        if not await self._wanted(context, image_id):
            return
        if (body.length or 0) > self._max_bytes:
            raise ImageError(f"the file is larger than {self._max_bytes} bytes")
        directory = await self._bodies.run(self._shelf.begin)
        try:
            size = await self._take(os.path.join(directory, "image"), body, payload)
            await self._place(context, image_id, directory, size)
        finally:
            await self._bodies.run(shutil.rmtree, directory, True)

    async def _wanted(self, context: RequestContext, image_id: str) -> bool:
        image: Image = await self._database.read(
            images.owned, context.project, context.is_admin, image_id
        )
        if image.instance_id is None:
            raise ImageUnavailable(f"image {image_id} was not announced")
        if image.state not in (images.PENDING, images.AVAILABLE):
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        return image.state == images.PENDING

    async def _take(self, path: str, body: Body, payload: Payload) -> int:
        """Write the body to a file; returns its size."""
        disk = await self._bodies.run(_Disk, path, self._max_bytes, payload)
        try:
            if body.small:
                content = await body.whole()
                await self._bodies.run(disk.write, content)
            else:
                await body.pour(disk.write, self._bodies)
            return await self._bodies.run(disk.finish)
        finally:
            await self._bodies.run(disk.close)

    async def _place(
        self, context: RequestContext, image_id: str, directory: str, size: int
    ) -> None:
        async with self._shelf.changing:
            if not await self._wanted(context, image_id):
                return
            # one may be there whose row was not told
            await self._bodies.run(self._shelf.discard, image_id)
            await self._bodies.run(self._shelf.place, directory, image_id)
            try:
                await self._database.run(
                    images.advance, image_id, images.PENDING, images.AVAILABLE, size=size
                )
            except WrongState:
                await self._bodies.run(self._shelf.discard, image_id)
                raise ImageUnavailable(f"nobody waits for image {image_id} any more") from None

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        """
        Wait no longer for the file of an image.

        @raise ImageNotFound, Unauthorized: the image is not there, or another project's.
        """
        await self._database.read(images.owned, context.project, context.is_admin, image_id)
        async with self._shelf.changing:
            if await self._database.run(announced_images.abandon, image_id, reason):
                await self._bodies.run(self._shelf.discard, image_id)


class _Disk:
    """The file of a raw disk on its way in, whose zeros take no room. Everything here blocks."""

    def __init__(self, path: str, max_bytes: int, payload: Payload) -> None:
        self._path = path
        self._left = max_bytes
        self._payload = payload
        self._size = 0
        self._file: BinaryIO = open(path, "xb")  # noqa: SIM115
        self._writer = Writer(self._file)

    def write(self, data: bytes | memoryview) -> None:
        """
        Write some more.

        @raise ImageError: it is more than there may be.
        """
        piece = bytes(self._payload.feed(data))
        self._size += len(piece)
        if self._size > self._left:
            raise ImageError(f"the file is larger than {self._left} bytes")
        if piece == bytes(len(piece)):
            self._writer.skip(len(piece))
        else:
            self._writer.write(piece)

    def finish(self) -> int:
        """
        Have all of it safe on the disk; returns its size.

        @raise ImageError: it is no raw disk.
        """
        self._payload.finish()
        if not self._size:
            raise ImageError("the file is empty")
        self._file.truncate(self._size)
        self._file.flush()
        os.fsync(self._file.fileno())
        check_raw(self._path)
        return self._size

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
