"""What headers say, and which are believed; real files are in functional/test_plain_images.py."""

from __future__ import annotations

import io
import struct

import pytest

from nova_tx.errors import ImageError
from nova_tx.image.formats import RAW, Disk, inspect, packed

LIMIT = 2**40


def _qcow2(
    *extensions: tuple[int, bytes],
    version: int = 3,
    backing: int = 0,
    size: int = 2**30,
    keys: int = 0,
    needed: int = 0,
    length: int = 104,
) -> bytes:
    head = b"QFI\xfb" + struct.pack(">IQIIQI", version, backing, 0, 16, size, keys)
    head += struct.pack(">IQQIIQ", 1, 2**16, 2**17, 1, 0, 0)
    if version == 3:
        head += struct.pack(">QQQII", needed, 0, 0, 4, length)
    for kind, content in (*extensions, (0, b"")):
        head += struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)
    return head


def _vmdk(text: str, sectors: int = 2048, start: int = 1, length: int = 20) -> bytes:
    head = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, sectors, 128, start, length)
    return head.ljust(512, b"\0") + text.encode().ljust(length * 512, b"\0")


_TEXT = """# Disk DescriptorFile
version=1
CID=e03cbb89
parentCID=ffffffff
createType="monolithicSparse"
RW 2048 SPARSE "disk.vmdk"
"""


def _vdi(kind: int = 1, size: int = 2**30, link: bytes = b"", parent: bytes = b"") -> bytes:
    head = bytearray(512)
    head[64:68] = b"\x7f\x10\xda\xbe"
    struct.pack_into("<I", head, 76, kind)
    struct.pack_into("<Q", head, 368, size)
    struct.pack_into("16s16s", head, 424, link, parent)
    return bytes(head)


def _vhd(kind: int, size: int, wrong: int = 0) -> bytes:
    foot = bytearray(512)
    foot[:8] = b"conectix"
    struct.pack_into(">QQII", foot, 40, size, size, 0, kind)
    struct.pack_into(">I", foot, 64, (~sum(foot) & 0xFFFFFFFF) ^ wrong)
    return bytes(foot)


def _inspect(content: bytes, limit: int = LIMIT) -> Disk:
    return inspect(io.BytesIO(content), len(content), limit)


@pytest.mark.parametrize(
    ("content", "disk"),
    [
        (b"anything", Disk(RAW, 8)),
        (_qcow2(), Disk("qcow2", 2**30)),
        (_qcow2(version=2), Disk("qcow2", 2**30)),
        (_qcow2((0x6803F857, bytes(48)), needed=0b11001), Disk("qcow2", 2**30)),
        (_vmdk(_TEXT), Disk("vmdk", 2**20)),
        (_vmdk(_TEXT.replace("monolithicSparse", "streamOptimized")), Disk("vmdk", 2**20)),
        (_vdi(), Disk("vdi", 2**30)),
        (_vdi(2), Disk("vdi", 2**30)),
        (_vhd(3, 2**30), Disk("vpc", 2**30)),
        (bytes(4096) + _vhd(2, 4096), Disk("vpc", 4096)),
        # what a guest may leave at the end of its disk does not make it another
        (bytes(4096) + _vhd(2, 4096, wrong=1), Disk(RAW, 4608)),
        (bytes(4096) + _vhd(2, 2**30), Disk(RAW, 4608)),
        (bytes(4096) + _vhd(3, 4096), Disk(RAW, 4608)),
    ],
)
def test_taken(content: bytes, disk: Disk) -> None:
    """A disk that stands for itself is what its content says, and as large."""
    assert _inspect(content) == disk


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_qcow2(backing=512), "backing file"),
        (_qcow2(version=2, backing=512), "backing file"),
        (_qcow2(keys=1), "encrypted"),
        (_qcow2(needed=0b100), "data in another file"),
        (_qcow2(needed=0b10), "damaged"),
        (_qcow2(needed=2**40), "features that are not taken"),
        (_qcow2((0x44415441, b"json:{}")), "outside of it"),
        (_qcow2((0xE2792ACA, b"raw")), "outside of it"),
        (_qcow2((0x6803F857, bytes(48)), (0x0537BE77, bytes(16))), "outside of it"),
        (_qcow2(length=0), "makes no sense"),
        (_qcow2(length=2**31), "ends in its header"),
        (_qcow2()[:90], "ends in its header"),
        (_qcow2(version=1), "format qcow,"),
        (_vmdk(_TEXT, sectors=0), "describe itself"),
        (_vmdk(_TEXT, start=9), "describe itself"),
        (_vmdk(_TEXT, length=0), "describe itself"),
        (_vmdk(_TEXT.replace("ffffffff", "12345678")), "parent"),
        (_vmdk(_TEXT + 'ParentFileNameHint="/etc/passwd"'), "parent"),
        (_vmdk(_TEXT + "\0" * 500 + 'parentFileNameHint="x"'), "parent"),
        (_vmdk(_TEXT.replace("monolithicSparse", "twoGbMaxExtentSparse")), "neither"),
        (_vmdk(_TEXT.replace("createType", "x")), "neither"),
        (_vmdk(_TEXT + 'RW 2048 FLAT "/etc/passwd" 0\n'), "other files"),
        (_vmdk(_TEXT.replace('SPARSE "disk.vmdk"', 'FLAT "passwd" 0')), "other files"),
        (_vmdk(_TEXT.replace("disk.vmdk", "/etc/passwd")), "other files"),
        (_vmdk(_TEXT.replace("disk.vmdk", "nbd:host")), "other files"),
        (_vdi(3), "parent"),
        (_vdi(4), "parent"),
        (_vdi(link=b"x"), "parent"),
        (_vdi(parent=b"x"), "parent"),
        (_vhd(4, 2**30), "parent"),
        (_vhd(3, 2**30, wrong=1), "damaged"),
        (b"QED\0" + bytes(512), "format qed"),
        (b"vhdxfile" + bytes(512), "format vhdx"),
        (b"COWD" + bytes(512), "of ESX"),
        (b"# Disk DescriptorFile\n", "a descriptor without data"),
        (b"PK\x03\x04" + bytes(512), "format zip"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(512), "format 7z"),
        (b"disk.img".ljust(257, b"\0") + b"ustar" + bytes(512), "format tar"),
        (_qcow2(size=2**40 + 1), "larger than"),
        (_vmdk(_TEXT, sectors=2**62), "larger than"),
        (_vdi(size=2**63), "larger than"),
        (_qcow2(size=0), "is empty"),
        (b"", "is empty"),
    ],
)
def test_refused(content: bytes, reason: str) -> None:
    """A disk that is in need of something else, too large, damaged or unknown is refused."""
    with pytest.raises(ImageError, match=reason):
        _inspect(content)


def test_packed() -> None:
    """Packed files are known by their first bytes, and others are not taken for such."""
    heads = {
        b"\x1f\x8b\x08\0": "gzip",
        b"BZh9": "bzip2",
        b"\xfd7zXZ\0": "xz",
        b"\x28\xb5\x2f\xfd": "zstd",
    }
    assert {head: packed(head + bytes(9)) for head in heads} == heads
    assert packed(b"\x1f\x8b\x07") is packed(b"") is packed(_qcow2()) is None
