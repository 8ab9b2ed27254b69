"""
A cpio archive ("newc"), the form of an initial ramdisk, without asking for root.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """
    One name in the archive; its owner is root.

    @ivar name: without a leading slash.
    @ivar mode: type and permissions as in C{st_mode}.
    @ivar content: of a file, or the target of a symbolic link.
    @ivar device: major and minor number of a device node.
    """

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def entries(directory: Path) -> list[Entry]:
    """What a directory holds, parents first."""
    found = []
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        content = b""
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink()).encode()
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found.append(Entry(str(path.relative_to(directory)), status.st_mode, content))
    return found


def archive(members: list[Entry]) -> bytes:
    """The archive, ended by its trailer."""
    whole = bytearray()
    for number, entry in enumerate([*members, Entry("TRAILER!!!", 0)], start=1):
        name = entry.name.encode() + b"\0"
        fields = (
            number,
            entry.mode,
            0,  # user
            0,  # group
            1,  # links
            0,  # time
            len(entry.content),
            0,
            0,
            *entry.device,
            len(name),
            0,
        )
        whole += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        whole += b"\0" * (-len(whole) % 4)
        whole += entry.content
        whole += b"\0" * (-len(whole) % 4)
    return bytes(whole)
