"""
What a file is, by its content: a raw disk, one of some hypervisor, or packed.

A header says what the file may make a program do that reads it, so this is
looked at before any does: whatever could name another file, an address or a
key is refused.                [CVE-2015-5163, CVE-2024-32498; QEMU's docs/interop; spec/15 A15]
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from nova_tx.errors import ImageError

RAW = "raw"
#: Bytes at the beginning of a file that tell what it is.
HEAD = 2**16

#: How files begin that were packed, by the name of what packs them.
_PACKED = {
    b"\x1f\x8b\x08": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
#: How files begin that are not raw: a hypervisor's tools might follow what
#: they refer to, any file of the host.
_FORMATS = {
    b"QFI\xfb": "qcow2",
    b"QED\x00": "qed",
    b"KDMV": "vmdk",
    b"COWD": "vmdk (of ESX)",
    b"# Disk DescriptorFile": "vmdk (a descriptor without data)",
    b"vhdxfile": "vhdx",
    b"conectix": "vhd",
    b"cxsparse": "vhd",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"Bochs Virtual HD Image": "bochs",
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop": "cloop",
    b"LUKS\xba\xbe": "luks",
    b"OOOM": "user-mode Linux cow",
    # no disk, but perhaps one is in it
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
#: What tells others, and where it is.
_INSIDE = {(64, b"\x7f\x10\xda\xbe"): "vdi", (257, b"ustar"): "tar"}

_SECTOR = 512
#: Bits of what a reader of qcow2 must know: written in haste, how it is packed, longer tables.
_QCOW2_KNOWN = 0b11001
#: Header extensions of qcow2: a backing file's format, keys, another file with the data.
_QCOW2_REFUSED = (0xE2792ACA, 0x0537BE77, 0x44415441)
_VMDK_KINDS = (b"monolithicSparse", b"streamOptimized")
_VMDK_KIND = re.compile(rb'^\s*createType\s*=\s*"([^"]*)"', re.MULTILINE)
_VMDK_PARENT = re.compile(rb"^\s*parentCID\s*=\s*(\S+)", re.MULTILINE)
_VMDK_EXTENT = re.compile(rb"^\s*(?:RW|RDONLY|NOACCESS)\s+.*$", re.MULTILINE)
_VMDK_SPARSE = re.compile(rb'\s*RW\s+[0-9]+\s+SPARSE\s+"[^"/\\:]*"\s*\Z')
_VDI_DYNAMIC, _VDI_STATIC = 1, 2
_VHD_FIXED, _VHD_DYNAMIC = 2, 3


@dataclass(frozen=True)
class Disk:
    """
    What a file is.

    @ivar driver: QEMU's name of the format.
    @ivar size: bytes of the disk in it.
    """

    driver: str
    size: int


def packed(head: bytes) -> str | None:
    """What packed a file that begins so; None: nothing that is known."""
    return next((kind for magic, kind in _PACKED.items() if head.startswith(magic)), None)


def named(head: bytes) -> str:
    """What a file is that begins so."""
    at_start = (kind for magic, kind in _FORMATS.items() if head.startswith(magic))
    inside = (kind for (at, magic), kind in _INSIDE.items() if head.startswith(magic, at))
    return next(chain(at_start, inside), RAW)


def check_raw(path: str) -> None:
    """
    An image is raw.

    @raise ImageError: it begins as another format does.
    """
    with open(path, "rb") as file:
        kind = named(file.read(_SECTOR))
    if kind != RAW:
        raise ImageError(f"the image is in format {kind}; only raw images can be registered")


def inspect(file: BinaryIO, size: int, limit: int) -> Disk:
    """
    See that a disk stands for itself, and is no larger than it may be.

    @param size: bytes of the file.
    @param limit: bytes of the largest disk.
    @raise ImageError: it is not so, or in a format that is not taken.
    """
    head = file.read(HEAD)
    kind = named(head)
    try:
        disk = _READERS[kind](file, head, size) if kind in _READERS else None
    except struct.error:
        raise ImageError(f"the {kind} image ends in its header") from None
    if disk is None:
        raise ImageError(f"the image is in format {kind}, which is not taken")
    if disk.size > limit:
        raise ImageError(f"the image is larger than {limit} bytes")
    if disk.size <= 0:
        raise ImageError("the image is empty")
    return disk


def _raw(file: BinaryIO, head: bytes, size: int) -> Disk:
    if size > _SECTOR:
        file.seek(size - _SECTOR)
        foot = file.read(_SECTOR)
        if _is_foot(foot) and _vhd_kind(foot) == _VHD_FIXED:
            found = struct.unpack_from(">Q", foot, 48)[0]
            if found == size - _SECTOR:
                return Disk("vpc", found)
    return Disk(RAW, size)


def _qcow2(file: BinaryIO, head: bytes, size: int) -> Disk:
    version, backing, _, _, disk, keys = struct.unpack_from(">IQIIQI", head, 4)
    if version not in (2, 3):
        raise ImageError("the image is in format qcow, which is not taken")
    if backing:
        raise ImageError("the qcow2 image has a backing file")
    if keys:
        raise ImageError("the qcow2 image is encrypted")
    at = 72
    if version == 3:
        needed, at = struct.unpack_from(">Q", head, 72)[0], struct.unpack_from(">I", head, 100)[0]
        if needed & 0b100:
            raise ImageError("the qcow2 image has its data in another file")
        if needed & ~_QCOW2_KNOWN:
            raise ImageError("the qcow2 image is damaged, or has features that are not taken")
        if at < 104:
            raise ImageError("the qcow2 image's header makes no sense")
    while True:
        kind, length = struct.unpack_from(">II", head, at)
        if kind == 0:
            return Disk("qcow2", disk)
        if kind in _QCOW2_REFUSED:
            raise ImageError("the qcow2 image refers to something outside of it")
        at += 8 + (length + 7) // 8 * 8


def _vmdk(file: BinaryIO, head: bytes, size: int) -> Disk:
    sectors, _, start, length = struct.unpack_from("<QQQQ", head, 12)
    # without a size of its own, or a descriptor right here, others would be asked what it is
    if not sectors or start != 1 or not 0 < length <= HEAD // _SECTOR - 1:
        raise ImageError("the vmdk image does not describe itself")
    text = head[_SECTOR:].split(b"\0", 1)[0]
    if b"parentfilenamehint" in head.lower():
        raise ImageError("the vmdk image has a parent")
    parents = _VMDK_PARENT.findall(text)
    if any(each.lower() != b"ffffffff" for each in parents):
        raise ImageError("the vmdk image has a parent")
    kinds = _VMDK_KIND.findall(text)
    if len(kinds) != 1 or kinds[0] not in _VMDK_KINDS:
        raise ImageError("the vmdk image is neither monolithicSparse nor streamOptimized")
    extents = _VMDK_EXTENT.findall(text)
    if len(extents) != 1 or not _VMDK_SPARSE.match(extents[0]):
        raise ImageError("the vmdk image has its data in other files")
    return Disk("vmdk", sectors * _SECTOR)


def _vdi(file: BinaryIO, head: bytes, size: int) -> Disk:
    kind = struct.unpack_from("<I", head, 76)[0]
    disk = struct.unpack_from("<Q", head, 368)[0]
    link, parent = struct.unpack_from("16s16s", head, 424)
    if kind not in (_VDI_DYNAMIC, _VDI_STATIC) or link.strip(b"\0") or parent.strip(b"\0"):
        raise ImageError("the vdi image has a parent")
    return Disk("vdi", disk)


def _vhd(file: BinaryIO, head: bytes, size: int) -> Disk:
    if not _is_foot(head[:_SECTOR]):
        raise ImageError("the vhd image is damaged")
    if _vhd_kind(head) != _VHD_DYNAMIC:
        raise ImageError("the vhd image has a parent, or is of an unknown kind")
    return Disk("vpc", struct.unpack_from(">Q", head, 48)[0])


def _vhd_kind(foot: bytes) -> int:
    kind: int = struct.unpack_from(">I", foot, 60)[0]
    return kind


def _is_foot(foot: bytes) -> bool:
    """What a fixed disk has at its end, and a dynamic one at its beginning, too."""
    if not foot.startswith(b"conectix") or len(foot) < _SECTOR:
        return False
    said: int = struct.unpack_from(">I", foot, 64)[0]
    return said == ~(sum(foot) - sum(foot[64:68])) & 0xFFFFFFFF


_READERS = {RAW: _raw, "qcow2": _qcow2, "vmdk": _vmdk, "vdi": _vdi, "vhd": _vhd}
