"""
From what lies in a bucket to an image that instances can boot from.   [spec/04 section 5]

A registration answers at once and goes on by itself; its row tells how far it
is.  One that a daemon's end broke off begins again at the next start.  An image
that is removed has its row, hidden, until its files are gone.
"""

from __future__ import annotations

import shutil
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from nova_tx.context import RequestContext
from nova_tx.db import images
from nova_tx.db.engine import Database
from nova_tx.errors import (
    AuthorityError,
    ImageError,
    ImageNotFound,
    NovaError,
    Unavailable,
    WrongState,
)
from nova_tx.ids import check_image_id
from nova_tx.model.images import Image, NewImage
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.conversion import Conversion, Stopped
from nova_tx.objectstore.handover import Handover
from nova_tx.objectstore.making import Making, filled
from nova_tx.objectstore.progress import Progress
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool

_log = Logger()

#: Seconds until what the database was away for is tried again.
_PAUSE = 5.0
_NOT_STORED = "the image service could not store the image; its log says why"


class Registrations:
    """The work that makes images' files of bundles, and takes them away."""

    def __init__(
        self,
        shelf: Shelf,
        making: Making,
        conversion: Conversion,
        database: Database,
        pool: IPool,
        clock: Any,
        handover: Handover | None = None,
    ) -> None:
        """
        @param making: makes the files; C{conversion}: where it has other programs run.
        @param handover: gives them away in the end; None: they stay on the shelf.
        """
        self._shelf = shelf
        self._making = making
        self._conversion = conversion
        self._database = database
        self._pool = pool
        self._clock = clock
        self._handover = handover
        self._stopping = making.stopping
        self._running: dict[str, Deferred[None]] = {}

    async def start(self) -> None:
        """Remove what was left, begin unfinished registrations again."""
        self._stopping.clear()
        self._conversion.start()
        if self._handover is not None:
            self._handover.start()
        for image_id in await self._database.read(images.deleted):
            await self._forget(image_id)
        for image, user_id in await self._database.read(images.unfinished):
            self._begin(image, user_id)

    async def stop(self) -> None:
        """End the work that is under way; it will begin again at the next start."""
        self._stopping.set()
        self._conversion.stop()
        if self._handover is not None:
            self._handover.stop()
        await DeferredList(list(self._running.values()))

    async def register(self, context: RequestContext, image_id: str, new: NewImage) -> Image:
        """
        Begin to make an image of a bundle, or a disk, that the caller may read.

        @raise InvalidInput: the id or the location is not of its form.
        @raise BucketNotFound, ImageNotFound: there is nothing.
        @raise AccessDenied: it may not be read.
        @raise Duplicate, DuplicateImageName: the id is taken, or the name.
        """
        check_image_id(image_id)
        origin = await self._making.look(new.location, Caller(context, str(context.project)))
        try:
            manifest = await self._making.manifest(origin)
        except ImageError:
            manifest = None  # the row will say what is wrong with it
        image = await self._database.run(
            images.register,
            image_id,
            str(context.project),
            str(context.user),
            filled(new, manifest) if manifest else new,
        )
        self._begin(image, str(context.user))
        return image

    async def remove(self, context: RequestContext, image_id: str) -> None:
        """
        Forget an image and remove its file.

        @raise ImageNotFound: there is none that the caller may see.
        @raise ForeignImage: it is another project's.
        """
        await self._database.run(images.delete, context.project, context.is_admin, image_id)
        await self._forget(image_id)

    async def _forget(self, image_id: str) -> None:
        """Remove the files of an image that is hidden, then its row; who works on it does so."""
        if not await self._pool.run(self._shelf.claims.take, image_id):
            return
        try:
            if self._handover is not None and not await self._handover.discard(image_id):
                return  # the next start will
            async with self._shelf.changing:
                await self._pool.run(self._shelf.discard, image_id)
                await self._database.run(images.forget, image_id)
        finally:
            await self._pool.run(self._shelf.claims.give_back, image_id)

    # The work.

    def _begin(self, image: Image, user_id: str) -> None:
        if not self._stopping.is_set():
            work = Deferred.fromCoroutine(self._complete(image, user_id))
            if not work.called:
                self._running[image.id] = work

    async def _complete(self, image: Image, user_id: str) -> None:
        try:
            if await self._pool.run(self._shelf.claims.take, image.id):
                await self._work(image, user_id)
        finally:
            self._running.pop(image.id, None)

    async def _work(self, image: Image, user_id: str) -> None:
        try:
            while not (await self._attempt(image, user_id) or self._stopping.is_set()):
                await self._pool.run(self._stopping.wait, _PAUSE)
            await self._pool.run(shutil.rmtree, self._shelf.scratch(image.id), True)
        finally:
            await self._pool.run(self._shelf.claims.give_back, image.id)
        await self._clean(image.id)

    async def _attempt(self, image: Image, user_id: str) -> bool:
        """Make an image, from the beginning; returns whether that was the end of it."""
        try:
            if await self._database.run(images.again, image.id):
                await self._pool.run(self._shelf.discard, image.id)
                await self._make(image, user_id)
        except CancelledError:
            raise
        except Stopped:
            pass
        except Unavailable as error:
            _log.warn("image {image} is made later: {error}", image=image.id, error=str(error))
            return False
        except WrongState:
            _log.info("image {image} was removed while it was made", image=image.id)
        except (ImageError, ImageNotFound, AuthorityError) as error:
            _log.info("image {image} failed: {reason}", image=image.id, reason=str(error))
            return await self._fail(image, str(error))
        except Exception:
            _log.failure("image {image} could not be made", image=image.id)
            return await self._fail(image, _NOT_STORED)
        return True

    async def _fail(self, image: Image, reason: str) -> bool:
        """Say that there will be no image; returns whether that could be said."""
        try:
            await self._pool.run(self._shelf.discard, image.id)
        except OSError as error:
            _log.warn("files of image {image} are left over: {why}", image=image.id, why=error)
        if self._handover is not None:
            await self._handover.discard(image.id)  # what came there before an end of this daemon
        try:
            await self._database.run(images.fail, image.id, reason)
        except NovaError:
            _log.failure("image {image} could not be marked as failed", image=image.id)
            return False
        return True

    async def _clean(self, image_id: str) -> None:
        """Forget an image that was removed while it was worked on, and left to who did."""
        try:
            if image_id in await self._database.read(images.deleted):
                await self._forget(image_id)
        except Unavailable as error:
            _log.warn("image {image} is forgotten later: {error}", image=image_id, error=str(error))

    async def _make(self, image: Image, user_id: str) -> None:
        async def write(percent: int) -> None:
            await self._database.run(images.progressed, image.id, percent)

        progress = Progress(write, self._clock)
        progress.begin()
        try:
            await self._making.make(image, user_id, progress)
        finally:
            await progress.end()
