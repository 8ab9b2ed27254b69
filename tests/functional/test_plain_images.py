"""Plain files of every kind, as qemu-img and the packers really write them, become images."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_twisted  # type: ignore[import-untyped]

from nova_tx.context import RequestContext
from nova_tx.model.images import Image, NewImage
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import RunningObjectstore, put, running_objectstore

JOE = RequestContext("joe", "joe")
#: A disk of several clusters of any format, holes among them, no multiple of a cylinder.
DISK = os.urandom(300_000) + bytes(5 * 2**20) + os.urandom(213_000) + bytes(2**20 + 512 * 3)
DISK += bytes(-len(DISK) % 512)

#: How each kind is made of a raw file.
KINDS = {
    "raw": (),
    "qcow2": ("-O", "qcow2"),
    "qcow2 packed": ("-O", "qcow2", "-c", "-o", "compression_type=zstd"),
    "qcow2 of 2008": ("-O", "qcow2", "-o", "compat=0.10"),
    "vmdk": ("-O", "vmdk"),
    "vmdk stream": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    "vdi": ("-O", "vdi"),
    "vdi whole": ("-O", "vdi", "-o", "static=on"),
    "vhd": ("-O", "vpc", "-o", "force_size=on"),
    "vhd whole": ("-O", "vpc", "-o", "subformat=fixed,force_size=on"),
}


def _zstd(content: bytes) -> bytes:
    return subprocess.run(("zstd", "-c"), input=content, check=True, capture_output=True).stdout


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda content: content,
    "gzip": lambda content: gzip.compress(content[:999]) + gzip.compress(content[999:], 1),
    "bzip2": lambda content: bz2.compress(content, 1),
    "xz": lambda content: lzma.compress(content, preset=0) + bytes(4),
    "zstd": _zstd,
}


@pytest_twisted.async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningObjectstore]:
    """An objectstore with joe's empty bucket, in a directory of an awkward name."""
    from twisted.internet import reactor

    directory = tmp_path / "a,b=c:d"
    directory.mkdir()
    async with running_objectstore(directory, memory_database(), reactor) as found:
        yield found


def _made(directory: Path, *options: str, content: bytes = DISK) -> bytes:
    source, target = directory / "source", directory / "target"
    source.write_bytes(content)
    if not options:
        return content
    subprocess.run(("qemu-img", "convert", "-f", "raw", *options, source, target), check=True)
    return target.read_bytes()


async def _register(running: RunningObjectstore, content: bytes, **said: str) -> Image:
    put(running.store, "bucket", "anything", content)
    image_id = await running.images.register(JOE, NewImage("bucket/anything", **said))
    await running.settled(image_id)
    image: Image = await running.images.show(JOE, image_id)
    if image.state == "failed":
        assert not (running.directory / "images" / image_id).exists()
    assert list((running.directory / "images" / ".new").iterdir()) == []
    return image


def _file(running: RunningObjectstore, image: Image) -> Path:
    return running.directory / "images" / image.id / "image"


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", KINDS)
async def test_kinds(running: RunningObjectstore, tmp_path: Path, kind: str, packed: str) -> None:
    """A disk of any kind, packed or not, becomes the raw disk that it was made of, with holes."""
    image = await _register(running, PACKED[packed](_made(tmp_path, *KINDS[kind])))
    assert (image.state, image.state_reason) == ("available", None)
    assert (image.size, image.progress) == (len(DISK), None)
    file = _file(running, image)
    assert file.read_bytes() == DISK
    assert file.stat().st_blocks * 512 < len(DISK) // 2
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("said", ["kernel_id", "ramdisk_id"])
async def test_packed_kernels(running: RunningObjectstore, said: str) -> None:
    """What is a kernel or a ramdisk stays packed, as whoever boots it expects it."""
    content = gzip.compress(os.urandom(5000))
    image = await _register(running, content, **{said: "true"})
    assert (image.state, image.type) == ("available", said.removesuffix("_id"))
    assert _file(running, image).read_bytes() == content


async def test_references(running: RunningObjectstore, tmp_path: Path) -> None:
    """A disk that needs another file is refused, whatever of the host that would be."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret" * 100_000 + bytes(424))
    overlay = tmp_path / "overlay"
    made = ("qemu-img", "create", "-q", "-f")
    subprocess.run((*made, "qcow2", "-b", secret, "-F", "raw", overlay), check=True)
    outside = tmp_path / "outside"
    data = f"data_file={secret},data_file_raw=on"
    subprocess.run((*made, "qcow2", "-o", data, outside, "600000"), check=True)
    base, child = tmp_path / "base.vmdk", tmp_path / "child.vmdk"
    subprocess.run((*made, "vmdk", base, "600000"), check=True)
    subprocess.run((*made, "vmdk", "-b", base, "-F", "vmdk", child), check=True)
    flat = tmp_path / "flat.vmdk"
    subprocess.run((*made, "vmdk", "-o", "subformat=monolithicFlat", flat, "600000"), check=True)
    for path, reason in (
        (overlay, "has a backing file"),
        (outside, "has its data in another file"),
        (child, "has a parent"),
        (flat, "a descriptor without data"),
    ):
        image = await _register(running, path.read_bytes())
        assert image.state == "failed"
        assert reason in str(image.state_reason)


async def test_bombs(tmp_path: Path) -> None:
    """What unpacks or converts to more than an image may have fails, and leaves nothing."""
    from twisted.internet import reactor

    more = ("--image_max_bytes=8000000",)
    async with running_objectstore(tmp_path, memory_database(), reactor, *more) as running:
        zeros = bytes(30_000_000)
        huge = _made(tmp_path, "-O", "qcow2", content=zeros)
        for content in (*(pack(zeros) for pack in PACKED.values()), huge, _zstd(huge)):
            image = await _register(running, content)
            assert image.state == "failed"
            assert "larger" in str(image.state_reason) or "too large" in str(image.state_reason)


async def test_time(tmp_path: Path) -> None:
    """A conversion that takes longer than it may is ended, and the image has failed."""
    from twisted.internet import reactor

    disk = _made(tmp_path, "-O", "qcow2")
    more = ("--image_convert_seconds=0",)
    async with running_objectstore(tmp_path, memory_database(), reactor, *more) as running:
        image = await _register(running, disk)
        assert image.state == "failed"


async def test_damaged(running: RunningObjectstore, tmp_path: Path) -> None:
    """A disk that qemu-img can't read fails with a sentence that tells nothing of the host."""
    whole = _made(tmp_path, "-O", "qcow2")
    # clusters of 2**63 bytes
    damaged = whole[:20] + struct.pack(">I", 63) + whole[24:]
    image = await _register(running, damaged)
    assert image.state == "failed"
    assert "can't be read as qcow2" in str(image.state_reason)
    assert str(tmp_path) not in str(image.state_reason)


async def test_restart(running: RunningObjectstore, tmp_path: Path) -> None:
    """A conversion that the end of the daemon broke off begins again at its start."""
    put(running.store, "bucket", "disk", _made(tmp_path, "-O", "qcow2"))
    image_id = await running.images.register(JOE, NewImage("bucket/disk"))
    await running.close()
    await running.open()
    await running.settled(image_id)
    image = await running.images.show(JOE, image_id)
    assert image.state == "available"
    assert _file(running, image).read_bytes() == DISK
