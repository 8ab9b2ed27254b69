"""
From a bundle in a bucket to an image that instances can boot from.    [spec/04 section 5]

A registration answers at once and goes on by itself; its row tells how far it
is.  One that a daemon's end broke off begins again at the next start.  An image
that is removed has its row, hidden, until its files are gone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger

from nova_tx.auth.authority import Authority
from nova_tx.context import RequestContext
from nova_tx.db import certificates, images
from nova_tx.db.engine import Database
from nova_tx.errors import (
    AuthorityError,
    BucketNotFound,
    ImageError,
    ImageNotFound,
    InvalidInput,
    KeyNotFound,
    NovaError,
    Unavailable,
    WrongState,
)
from nova_tx.ids import check_image_id
from nova_tx.image import manifest as manifests
from nova_tx.image.manifest import Manifest
from nova_tx.model.images import Image, NewImage
from nova_tx.objectstore import unbundle
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool

_log = Logger()

#: Seconds until what the database was away for is tried again.
_PAUSE = 5.0
_NOT_STORED = "the image service could not store the image; its log says why"


class Stopped(Exception):
    """The daemon ends; the registration will begin again."""


def parse_location(location: str) -> tuple[str, str]:
    """
    The bucket and the key of a manifest C{bucket/key}.

    @raise InvalidInput: it is not of that form.
    """
    bucket, _, key = location.partition("/")
    if not (bucket and key):
        raise InvalidInput(f"{location!r} is not of the form bucket/manifest")
    return bucket, key


class Registrations:
    """The work that makes images' files of bundles, and takes them away."""

    def __init__(
        self,
        shelf: Shelf,
        max_bytes: int,
        store: IStore,
        authority: Authority,
        database: Database,
        pool: IPool,
    ) -> None:
        """
        @param max_bytes: size of the largest image.
        @param pool: as many images are unbundled at once as it has threads.
        """
        self._shelf = shelf
        self._max_bytes = max_bytes
        self._store = store
        self._authority = authority
        self._database = database
        self._pool = pool
        self._stopping = Event()
        self._running: dict[str, Deferred[None]] = {}
        self._removed: set[str] = set()

    async def start(self) -> None:
        """Remove what was left, begin unfinished registrations again."""
        self._stopping.clear()
        for image_id in await self._database.read(images.deleted):
            await self._forget(image_id)
        for image, user_id in await self._database.read(images.unfinished):
            self._begin(image, user_id)

    async def stop(self) -> None:
        """End the work that is under way; it will begin again at the next start."""
        self._stopping.set()
        await DeferredList(list(self._running.values()))

    async def register(self, context: RequestContext, image_id: str, new: NewImage) -> Image:
        """
        Begin to make an image of a bundle whose bucket the caller may use.

        @raise InvalidInput: the id or the location is not of its form.
        @raise ImageNotFound: there is no such manifest.
        @raise Duplicate, DuplicateImageName: the id is taken, or the name.
        """
        check_image_id(image_id)
        bucket, key = parse_location(new.location)
        text = await self._pool.run(self._read_manifest, bucket, key)
        try:
            manifest: Manifest | None = await self._pool.run(manifests.parse, text)
        except ImageError:
            manifest = None  # the row will say what is wrong with it
        image = await self._database.run(
            images.register,
            image_id,
            str(context.project),
            str(context.user),
            _filled(new, manifest) if manifest else new,
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
        if image_id in self._running:  # who works on it cleans up
            self._removed.add(image_id)
        else:
            await self._forget(image_id)

    async def _forget(self, image_id: str) -> None:
        """Remove the files of an image that is hidden, then its row."""
        async with self._shelf.changing:
            await self._pool.run(self._shelf.discard, image_id)
            await self._database.run(images.forget, image_id)

    def _read_manifest(self, bucket: str, key: str) -> bytes:
        try:
            return _first(self._store.read(bucket, key)[1], manifests.MAX_BYTES + 1)
        except (BucketNotFound, KeyNotFound):
            raise ImageNotFound(f"there is no manifest {bucket}/{key}") from None

    # The work.

    def _begin(self, image: Image, user_id: str) -> None:
        if not self._stopping.is_set():
            work = Deferred.fromCoroutine(self._complete(image, user_id))
            if not work.called:
                self._running[image.id] = work

    async def _complete(self, image: Image, user_id: str) -> None:
        try:
            while not (await self._attempt(image, user_id) or self._stopping.is_set()):
                await self._pool.run(self._stopping.wait, _PAUSE)
        finally:
            self._running.pop(image.id, None)
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
        try:
            await self._database.run(images.fail, image.id, reason)
        except NovaError:
            _log.failure("image {image} could not be marked as failed", image=image.id)
            return False
        return True

    async def _clean(self, image_id: str) -> None:
        await self._pool.run(shutil.rmtree, self._shelf.scratch(image_id), True)
        if image_id in self._removed:
            self._removed.discard(image_id)
            await self._forget(image_id)

    async def _make(self, image: Image, user_id: str) -> None:
        bucket, key = parse_location(image.location)
        text = await self._pool.run(self._read_manifest, bucket, key)
        manifest = await self._pool.run(manifests.parse, text)
        files = await self._database.read(certificates.files, user_id, image.owner)
        await self._database.run(images.advance, image.id, images.PENDING, images.DECRYPTING)
        await self._pool.run(self._decrypt, image.id, bucket, key, manifest, files)
        await self._database.run(images.advance, image.id, images.DECRYPTING, images.UNTARRING)
        await self._pool.run(self._untar, image.id, manifest)
        await self._database.run(
            images.advance, image.id, images.UNTARRING, images.AVAILABLE, size=manifest.size
        )

    def _decrypt(
        self, image_id: str, bucket: str, key: str, manifest: Manifest, files: tuple[str, ...]
    ) -> None:
        unbundle.check_sizes(manifest, self._max_bytes)
        unbundle.check_signature(manifest, _contents(files))
        os.makedirs(self._shelf.scratch(image_id), mode=0o700)
        # parts lie beside their manifest
        above = key.rpartition("/")[0]

        def read_part(name: str) -> Iterator[bytes]:
            try:
                return self._store.read(bucket, f"{above}/{name}" if above else name)[1]
            except (BucketNotFound, KeyNotFound):
                raise ImageError(f"part {name} of the bundle is missing") from None

        unbundle.decrypt(
            manifest, self._authority.key(), read_part, self._archive(image_id), self._keep_on
        )

    def _untar(self, image_id: str, manifest: Manifest) -> None:
        done = os.path.join(self._shelf.scratch(image_id), "done")
        os.mkdir(done, 0o700)
        unbundle.untar(
            manifest, self._archive(image_id), os.path.join(done, "image"), self._keep_on
        )
        self._shelf.place(done, image_id)

    def _keep_on(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _archive(self, image_id: str) -> str:
        return os.path.join(self._shelf.scratch(image_id), "image.tar.gz")


def _first(pieces: Iterator[bytes], most: int) -> bytes:
    """The beginning of an object; all of it, if it is that short."""
    found = b""
    for piece in pieces:
        found += piece
        if len(found) >= most:
            break
    return found[:most]


def _filled(new: NewImage, manifest: Manifest) -> NewImage:
    """What is registered, with what the manifest says where nothing else is said."""
    return replace(
        new,
        architecture=new.architecture or manifest.architecture,
        kernel_id=new.kernel_id or manifest.kernel_id,
        ramdisk_id=new.ramdisk_id or manifest.ramdisk_id,
    )


def _contents(files: tuple[str, ...]) -> list[bytes]:
    """The certificates that are still where they were put."""
    found = []
    for path in files:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            found.append(file.read(65536))
    return found
