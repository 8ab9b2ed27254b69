"""
The file of an image, made of what lies in a bucket: of a bundle, or of a disk as it is.
                                                                         [spec/04 section 5]

Begun anew whenever it is begun; what it makes is visible with its last step.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from threading import Event

from nova_tx.auth.authority import Authority
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.roles import Roles
from nova_tx.db import certificates, images
from nova_tx.db.certificates import Known
from nova_tx.db.engine import Database
from nova_tx.errors import BucketNotFound, ImageError, ImageNotFound, InvalidInput, KeyNotFound
from nova_tx.image import formats
from nova_tx.image import manifest as manifests
from nova_tx.image.manifest import Manifest
from nova_tx.model.images import Image, NewImage
from nova_tx.objectstore import unbundle, unpacking
from nova_tx.objectstore.calls import Caller
from nova_tx.objectstore.conversion import Conversion, Stopped
from nova_tx.objectstore.faults import AccessDenied
from nova_tx.objectstore.handover import Handover
from nova_tx.objectstore.interfaces import IStore
from nova_tx.objectstore.progress import Progress
from nova_tx.objectstore.reading import Reading, caller_of, reading
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool

#: How a bundle's manifest is called; one that is no XML is a broken bundle, and no disk.
_MANIFEST = ".manifest.xml"
_BOM = b"\xef\xbb\xbf"
_XML = (b"<?xml", b"<!", b"<manifest")
#: Per cent of the work after which a file is there, and is still to be converted.
_COPIED = 50


@dataclass(frozen=True)
class Origin:
    """
    What an image is to be made of.

    @ivar objects: where it lies, read in the name of who registers it.
    @ivar size: its bytes.
    @ivar manifest: its text; None: it is a disk.
    """

    objects: Reading
    key: str
    size: int
    manifest: bytes | None


def parse_location(location: str) -> tuple[str, str]:
    """
    The bucket and the key of C{bucket/key}.

    @raise InvalidInput: it is not of that form.
    """
    bucket, _, key = location.partition("/")
    if not (bucket and key):
        raise InvalidInput(f"{location!r} is not of the form bucket/manifest")
    return bucket, key


def is_manifest(key: str, head: bytes) -> bool:
    """Whether what begins so is the manifest of a bundle."""
    # not any <: a disk of VirtualBox begins with <<<
    return head.removeprefix(_BOM).lstrip().startswith(_XML) or key.endswith(_MANIFEST)


def filled(new: NewImage, manifest: Manifest) -> NewImage:
    """What is registered, with what the manifest says where nothing else is said."""
    return replace(
        new,
        architecture=new.architecture or manifest.architecture,
        kernel_id=new.kernel_id or manifest.kernel_id,
        ramdisk_id=new.ramdisk_id or manifest.ramdisk_id,
    )


class Making:
    """Makes images' files, one step after the other, in threads and other programs."""

    def __init__(
        self,
        shelf: Shelf,
        max_bytes: int,
        store: IStore,
        authority: Authority,
        database: Database,
        users: IUsers,
        roles: Roles,
        pool: IPool,
        conversion: Conversion,
        handover: Handover | None = None,
    ) -> None:
        """
        @param max_bytes: size of the largest image.
        @param pool: as many images are made at once as it has threads.
        @param handover: gives images away in the end; None: they stay on the shelf.
        """
        self._shelf = shelf
        self._max_bytes = max_bytes
        self._store = store
        self._authority = authority
        self._database = database
        self._users = users
        self._roles = roles
        self._pool = pool
        self._conversion = conversion
        self._handover = handover
        self.stopping = Event()

    async def look(self, location: str, caller: Caller) -> Origin:
        """
        What there is at a location, for who registers it.

        @raise BucketNotFound, ImageNotFound: nothing.
        @raise AccessDenied: the caller may not read it.
        """
        bucket, key = parse_location(location)
        objects = await reading(self._store, bucket, caller)
        return await self._pool.run(_look, objects, key)

    async def manifest(self, origin: Origin) -> Manifest | None:
        """
        What the manifest of a bundle says; None: it is none.

        @raise ImageError: it makes no sense.
        """
        if origin.manifest is None:
            return None
        return await self._pool.run(manifests.parse, origin.manifest)

    async def make(self, image: Image, user_id: str, progress: Progress) -> None:
        """
        Make an image that is C{pending} and has no file, as registered by a user.

        @raise ImageError, ImageNotFound, AuthorityError: it can't be one.
        @raise WrongState: it was removed meanwhile.
        @raise Stopped: this daemon is to end.
        """
        caller = await caller_of(self._users, self._roles, user_id, image.owner)
        try:
            origin = await self.look(image.location, caller)
        except (AccessDenied, BucketNotFound):
            raise ImageError(f"{image.location} is not there any more, or not to be read") from None
        manifest = await self.manifest(origin)
        if manifest is not None:
            await self._bundle(image, user_id, origin, manifest, progress)
        else:
            await self._disk(image, origin, progress)

    def _keep_on(self) -> None:
        if self.stopping.is_set():
            raise Stopped

    def _at(self, image_id: str, name: str) -> str:
        return os.path.join(self._shelf.scratch(image_id), name)

    async def _finish(self, image: Image, state: str, size: int) -> None:
        """Have an image available whose file is done."""
        done = self._at(image.id, "done")
        if self._handover is None:
            await self._pool.run(self._shelf.place, done, image.id)
            await self._advance(image, state, images.AVAILABLE, size=size)
        else:
            await self._advance(image, state, images.UPLOADING, size=size)
            await self._handover.hand_over(image.id, os.path.join(done, "image"))

    async def _advance(self, image: Image, source: str, target: str, **columns: object) -> None:
        await self._database.run(images.advance, image.id, source, target, **columns)

    # Of a bundle.

    async def _bundle(
        self, image: Image, user_id: str, origin: Origin, manifest: Manifest, progress: Progress
    ) -> None:
        known = await self._database.read(certificates.known, user_id, image.owner)
        await self._advance(image, images.PENDING, images.DECRYPTING)
        await self._pool.run(self._decrypt, image, origin, manifest, known, progress)
        await self._advance(image, images.DECRYPTING, images.UNTARRING)
        await self._pool.run(self._untar, image.id, manifest, progress)
        await self._finish(image, images.UNTARRING, manifest.size)

    def _decrypt(
        self,
        image: Image,
        origin: Origin,
        manifest: Manifest,
        known: Known,
        progress: Progress,
    ) -> None:
        unbundle.check_sizes(manifest, self._max_bytes)
        valid = _contents(known.valid)
        revoked = _contents(known.revoked + known.revoked_elsewhere)
        # who has had certificates has to sign with one
        unbundle.check_signature(manifest, valid, revoked, bool(valid or known.revoked))
        os.makedirs(self._shelf.scratch(image.id), mode=0o700)
        # parts lie beside their manifest
        above = origin.key.rpartition("/")[0]

        def read_part(name: str) -> Iterator[bytes]:
            try:
                return origin.objects.open(f"{above}/{name}" if above else name)[1]
            except AccessDenied:
                raise ImageError(f"part {name} of the bundle may not be read") from None
            except (BucketNotFound, KeyNotFound):
                raise ImageError(f"part {name} of the bundle is missing") from None

        unbundle.decrypt(
            manifest,
            self._authority.keys(image.owner),
            read_part,
            self._at(image.id, "image.tar.gz"),
            self._keep_on,
            progress.stage(0, _COPIED, manifest.bundled_size),
        )

    def _untar(self, image_id: str, manifest: Manifest, progress: Progress) -> None:
        done = self._at(image_id, "done")
        os.mkdir(done, 0o700)
        unbundle.untar(
            manifest,
            self._at(image_id, "image.tar.gz"),
            os.path.join(done, "image"),
            self._keep_on,
            progress.stage(_COPIED, 100, manifest.size),
        )

    # Of a disk as it is.

    async def _disk(self, image: Image, origin: Origin, progress: Progress) -> None:
        await self._advance(image, images.PENDING, images.COPYING)
        packed = await self._pool.run(self._copy, image, origin, progress)
        if packed is not None:
            await self._conversion.unpack(
                packed, self._at(image.id, "packed"), self._at(image.id, "plain")
            )
        disk = await self._pool.run(self._inspect, image)
        state = images.COPYING
        if disk.driver != formats.RAW:
            state = images.CONVERTING
            await self._advance(image, images.COPYING, state)
            await self._conversion.convert(
                self._at(image.id, "plain"),
                disk,
                self._at(image.id, "converted"),
                progress.stage(_COPIED, 100, 100),
            )
        size = await self._pool.run(self._lay_down, image.id, disk)
        await self._finish(image, state, size)

    def _copy(self, image: Image, origin: Origin, progress: Progress) -> str | None:
        """Write the file, unpacked; if it is still packed then, returns by what."""
        if origin.size > self._max_bytes:
            raise ImageError(f"the image is larger than {self._max_bytes} bytes")
        os.makedirs(self._shelf.scratch(image.id), mode=0o700)
        try:
            _, pieces = origin.objects.open(origin.key)
        except (AccessDenied, BucketNotFound, KeyNotFound):
            raise ImageError("the disk is not there any more, or not to be read") from None
        head = next(pieces, b"")
        # a ramdisk is packed for its kernel, and so may be a kernel
        kind = formats.packed(head) if image.type == "machine" else None
        whole = unpacking.counted(_joined(head, pieces), progress.stage(0, _COPIED, origin.size))
        ours = kind in unpacking.KINDS
        if kind is not None and ours:
            whole = unpacking.unpacked(kind, whole)
        name = "plain" if ours or kind is None else "packed"
        unpacking.write(whole, self._at(image.id, name), self._max_bytes, self._keep_on)
        return None if name == "plain" else kind

    def _inspect(self, image: Image) -> formats.Disk:
        path = self._at(image.id, "plain")
        size = os.path.getsize(path)
        if size > self._max_bytes:
            raise ImageError(f"the image is larger than {self._max_bytes} bytes")
        with open(path, "rb") as file:
            if image.type == "machine" and (kind := formats.packed(file.read(formats.HEAD))):
                raise ImageError(f"the image is packed twice, by {kind} within")
            file.seek(0)
            disk = formats.inspect(file, size, self._max_bytes)
        if image.type != "machine" and disk.driver != formats.RAW:
            raise ImageError(f"the {image.type} is in format {disk.driver}")
        return disk

    def _lay_down(self, image_id: str, disk: formats.Disk) -> int:
        """Have the raw file safe, and where it is C{done}; returns its size."""
        path = self._at(image_id, "plain" if disk.driver == formats.RAW else "converted")
        formats.check_raw(path)
        _sync(path)
        done = self._at(image_id, "done")
        os.mkdir(done, 0o700)
        os.rename(path, os.path.join(done, "image"))
        return os.path.getsize(os.path.join(done, "image"))


def _look(objects: Reading, key: str) -> Origin:
    try:
        facts, pieces = objects.open(key)
    except (BucketNotFound, KeyNotFound):
        raise ImageNotFound(f"there is nothing at {objects.bucket.name}/{key}") from None
    text = b""
    for piece in pieces:
        text += piece
        if len(text) > manifests.MAX_BYTES or not is_manifest(key, text):
            break
    short = text[: manifests.MAX_BYTES + 1]
    return Origin(objects, key, facts.size, short if is_manifest(key, text) else None)


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def _sync(path: str) -> None:
    """Have a file safe on the disk that another program wrote."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _contents(files: tuple[str, ...]) -> list[bytes]:
    """The certificates that are still where they were put."""
    found = []
    for path in files:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            found.append(file.read(65536))
    return found
