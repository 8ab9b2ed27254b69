"""
An object as one file: its bytes, then what is known of it, in a form that is read from the end.

One file, so that one rename makes all of it visible at once.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from nova_tx.objectstore.facts import Facts

_MAGIC = b"nova-tx2"
#: What ended files before there was a checksum.
_OLD_MAGIC = b"nova-tx1"
_PIECE = 2**20
#: Bytes of a long file that the disk is given at a time.
_STRETCH = 2**23
#: What tells an object from the one that it replaced.
_OF = ("etag", "modified")
#: CRC-32 of the facts, their length, and what they are.
_END = struct.Struct(">II8s")


def facts_bytes(facts: Facts) -> bytes:
    """What is put behind the bytes of an object."""
    return _sealed(json.dumps(vars(facts)).encode())


def read_facts(file: BinaryIO) -> Facts:
    """
    The facts of an object; its bytes are those from 0 to C{facts.size}.

    @raise ValueError: the file is no object, or not as it was written.
    """
    descriptor = file.fileno()
    end = os.fstat(descriptor).st_size - _END.size
    if end < 0:
        raise ValueError("too short for an object")
    crc, length, magic = _END.unpack(os.pread(descriptor, _END.size, end))
    if magic == _OLD_MAGIC:
        end += 4
    elif magic != _MAGIC:
        raise ValueError("the end is not an object's")
    if length > end:
        raise ValueError("too short for what is known of it")
    text = os.pread(descriptor, length, end - length)
    if magic == _MAGIC and zlib.crc32(text) != crc:
        raise ValueError("what is known of it is not as it was written")
    facts = _facts(json.loads(text))
    if facts.size != end - length:
        raise ValueError(f"it has {end - length} bytes, not {facts.size}")
    return facts


def _facts(known: dict[str, Any]) -> Facts:
    known["grants"] = tuple((who, what) for who, what in known.get("grants", ()))
    known["parts"] = tuple(known.get("parts", ()))
    return Facts(**known)


def _sealed(text: bytes) -> bytes:
    return text + _END.pack(zlib.crc32(text), len(text), _MAGIC)


def changes_bytes(facts: Facts) -> bytes:
    """What can be changed of an object, and of which object it is."""
    names = (*_OF, "grants", "tags")
    return _sealed(json.dumps({name: getattr(facts, name) for name in names}).encode())


def changed_facts(facts: Facts, changes: bytes) -> Facts:
    """
    An object's facts with its changes; those of an object that was replaced are none.

    @raise ValueError: the changes are not as they were written.
    """
    text = changes[: -_END.size]
    if changes != _sealed(text):
        raise ValueError("what was changed of it is not as it was written")
    found = json.loads(text)
    if any(found[name] != getattr(facts, name) for name in _OF):
        return facts
    grants = tuple((who, what) for who, what in found["grants"])
    return replace(facts, grants=grants, tags=found["tags"])


class Writer:
    """
    Writes a long file, and has the disk begin with what is there.

    So little is left to wait for at its end, and the disk is not handed
    a gigabyte at once while others wait for their kilobyte.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._written = self._begun = 0

    def write(self, data: bytes | memoryview) -> None:
        """Write some more."""
        self._file.write(data)
        self._count(len(data))

    def skip(self, count: int) -> None:
        """Leave a hole: bytes that are zero and take no room."""
        self._file.seek(count, os.SEEK_CUR)
        self._count(count)

    def _count(self, count: int) -> None:
        self._written += count
        if self._written - self._begun >= _STRETCH:
            self._file.flush()
            # what is quite new the kernel has in lists of each core, and would wait for them
            end = self._written - _PIECE
            start_writing(self._file.fileno(), self._begun, end - self._begun)
            self._begun = end


def start_writing(descriptor: int, first: int = 0, count: int = 1) -> None:
    """Have some bytes of a file written to the disk, without waiting; by default its first page."""
    # "not needed in memory": what is not on the disk yet is begun with, and stays in memory
    os.posix_fadvise(descriptor, first, count, os.POSIX_FADV_DONTNEED)


def write_small(path: str, content: bytes) -> int:
    """
    A new file with a few bytes in it; its descriptor.

    By system calls alone, as few as can be: each is a moment in which another thread may take the
    interpreter, which then has to be waited for.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """The first C{size} bytes of an object's file, which is closed after them."""
    with file:
        while data := file.read(min(_PIECE, size)):
            size -= len(data)
            yield data


def sync_directory(path: str) -> None:
    """Have a directory's names safe on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
