"""Images from files of this host.                                     [spec/10 section 14]"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nova_tx.errors import InvalidInput, NovaError
from nova_tx.flags import ImageFlags, S3Flags
from nova_tx.manage.old_images import found
from nova_tx.manage.parts import UNTOLD, CommandFailed, Parts
from nova_tx.manage.uploads import File, Uploads, check_readable
from nova_tx.model.images import ARCHITECTURES, ITSELF

#: nova-objectstore is asked.
REACTOR = True

_CONTAINERS = ("bare", "ami")
_DISKS = ("raw", "ami", "qcow2", "vmdk", "vdi", "vhd")


async def all_register(
    parts: Parts,
    image: str,
    kernel: str,
    ramdisk: str,
    owner: str,
    name: str = "",
    is_public: str = "T",
    arch: str = "x86_64",
) -> None:
    """Register the files of a kernel, a ramdisk and a disk that boots with them."""
    for path in (kernel, ramdisk, image):  # none without the others
        check_readable(path)
    async with _uploads(parts) as uploads:
        kernel_id = await _made(uploads, _file(kernel, owner, "", is_public, arch, ITSELF))
        ramdisk_id = await _made(uploads, _file(ramdisk, owner, "", is_public, arch, None, ITSELF))
        disk = _file(image, owner, name, is_public, arch, kernel_id, ramdisk_id)
        await _made(uploads, disk)


async def convert(parts: Parts, directory: str) -> None:
    """
    Register what an objectstore of 2011 kept: a directory each, with info.json and image.

    Not a disk whose kernel or ramdisk is not among them: it could not boot.
    """
    no_kernel = parts.section(ImageFlags).null_kernel
    ids: dict[str, str] = {}
    failed = 0
    async with _uploads(parts) as uploads:
        for each in found(directory):
            if isinstance(each, str):
                print(f"Failed to load {each}.", file=sys.stderr)
                failed += 1
                continue
            needed = (each.kernel_id, each.ramdisk_id) if each.kind == "machine" else ()
            lacking = [other for other in needed if other and other not in (*ids, no_kernel)]
            if lacking:
                print(f"Failed to convert {each.id}: {lacking[0]} was not.", file=sys.stderr)
                failed += 1
                continue
            kernel = ITSELF if each.kind == "kernel" else ids.get(each.kernel_id or "")
            ramdisk = ITSELF if each.kind == "ramdisk" else ids.get(each.ramdisk_id or "")
            file = File(
                each.path, each.owner, "", each.is_public, each.architecture, kernel, ramdisk
            )
            try:
                ids[each.id] = await uploads.register(file)
            except NovaError as error:
                print(f"Failed to convert {each.id}: {error}", file=sys.stderr)
                failed += 1
                continue
            print(f"Image {each.id} converted to {ids[each.id]} ({ids[each.id]}).")
    if failed:
        raise CommandFailed(f"{failed} not converted")


async def image_register(
    parts: Parts,
    path: str,
    owner: str,
    name: str = "",
    is_public: str = "T",
    arch: str = "x86_64",
    container: str = "bare",
    disk: str = "raw",
    kernel_id: str = "",
    ramdisk_id: str = "",
) -> None:
    """Register the file of a disk; of which format it is, is seen in it."""
    if container not in _CONTAINERS or disk not in _DISKS:
        raise InvalidInput(
            f"CONTAINER is one of {', '.join(_CONTAINERS)}, DISK one of {', '.join(_DISKS)}"
        )
    file = _file(path, owner, name, is_public, arch, kernel_id or None, ramdisk_id or None)
    await _alone(parts, file)


async def kernel_register(
    parts: Parts,
    path: str,
    owner: str,
    name: str = "",
    is_public: str = "T",
    arch: str = "x86_64",
) -> None:
    """Register the file of a kernel."""
    await _alone(parts, _file(path, owner, name, is_public, arch, ITSELF))


async def ramdisk_register(
    parts: Parts,
    path: str,
    owner: str,
    name: str = "",
    is_public: str = "T",
    arch: str = "x86_64",
) -> None:
    """Register the file of a ramdisk."""
    await _alone(parts, _file(path, owner, name, is_public, arch, None, ITSELF))


def _file(
    path: str,
    owner: str,
    name: str,
    is_public: str,
    arch: str,
    kernel_id: str | None = None,
    ramdisk_id: str | None = None,
) -> File:
    if arch not in ARCHITECTURES:
        raise InvalidInput(f"ARCH is one of {', '.join(ARCHITECTURES)}, not {arch!r}")
    public = is_public[:1] in ("T", "t")
    return File(os.path.abspath(path), owner, name, public, arch, kernel_id, ramdisk_id)


@asynccontextmanager
async def _uploads(parts: Parts) -> AsyncIterator[Uploads]:
    if "glance" in parts.section(ImageFlags).image_service.lower():
        raise CommandFailed("with --image_service=glance, publish with uec-publish-image")
    from twisted.internet import reactor

    uploads = Uploads(parts.section(S3Flags), parts.users, reactor, UNTOLD)
    try:
        yield uploads
    finally:
        await uploads.close()


async def _alone(parts: Parts, file: File) -> None:
    async with _uploads(parts) as uploads:
        await _made(uploads, file)


async def _made(uploads: Uploads, file: File) -> str:
    try:
        image_id = await uploads.register(file)
    except NovaError as error:
        raise CommandFailed(f"Failed to register {file.path}: {error}") from None
    print(f"Image registered to {image_id} ({image_id}).")
    return image_id
