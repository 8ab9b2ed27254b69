"""
An object as one file: its bytes, then what is known of it, in a form that is read from the end.

One file, so that one rename makes all of it visible at once.  The bytes of one that came in parts
are where the parts were put, as runs, with room that is not used between them.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from nova_tx.disk import sync_directory as sync_directory
from nova_tx.objectstore.disk.reach import TO_DISK, Reach
from nova_tx.objectstore.facts import Facts, facts_of

_MAGIC = b"nova-tx2"
#: What ended files before there was a checksum.
_OLD_MAGIC = b"nova-tx1"
_PIECE = 2**20
#: Bytes from the end of a file in which most have all that is known of their object.
_TAIL = 2048
#: Bytes of a long file that the disk is given at a time.
_STRETCH = 2**23
#: What tells an object from the one that it replaced.
_OF = ("etag", "modified")
#: CRC-32 of the facts, their length, and what they are.
_END = struct.Struct(">II8s")


#: Where bytes are in a file, in order: the first of them and their count.
Runs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Kept:
    """
    What a file says of the object that it is.

    @ivar upload: the id of the upload that it came by, if it came in parts.
    """

    facts: Facts
    runs: Runs
    upload: str = ""


def facts_bytes(facts: Facts, runs: Runs = (), upload: str = "") -> bytes:
    """
    What is put behind the bytes of an object.

    @param runs: where its bytes are, if they are not those from 0 on.
    @param upload: the upload that it came by, if it came in parts.
    """
    known = dict(vars(facts))
    if upload:
        known.update(runs=runs, upload=upload)
    return _sealed(json.dumps(known).encode())


def read_kept(file: BinaryIO) -> Kept:
    """
    What is put behind the bytes of an object.

    @raise ValueError: the file is no object, or not as it was written.
    """
    return kept_of(file.fileno())


def kept_of(descriptor: int, reach: Reach = TO_DISK) -> Kept:
    """What L{read_kept} says of the file of a descriptor."""
    size = os.fstat(descriptor).st_size
    end = size - _END.size
    if end < 0:
        raise ValueError("too short for an object")
    start = max(0, size - _TAIL)
    tail = reach.read(descriptor, size - start, start)
    crc, length, magic = _END.unpack(tail[end - start :])
    if magic == _OLD_MAGIC:
        end += 4
    elif magic != _MAGIC:
        raise ValueError("the end is not an object's")
    if length > end:
        raise ValueError("too short for what is known of it")
    first = end - length
    text = tail[first - start : end - start]
    if first < start:  # few have so much
        text = reach.read(descriptor, length, first)
    if magic == _MAGIC and zlib.crc32(text) != crc:
        raise ValueError("what is known of it is not as it was written")
    known = json.loads(text)
    upload = known.pop("upload", "")
    runs = tuple((first, count) for first, count in known.pop("runs", ((0, end - length),)))
    facts = facts_of(known)
    if facts.size != sum(count for _, count in runs):
        raise ValueError(f"it has {end - length} bytes, not {facts.size}")
    if any(first + count > end - length for first, count in runs):
        raise ValueError(f"it has no more than {end - length} bytes")
    return Kept(facts, runs, upload)


def runs_of(file: BinaryIO, facts: Facts) -> Runs:
    """Where the bytes of an object are in its file."""
    return read_kept(file).runs if facts.parts else ((0, facts.size),)


def within(runs: Runs, first: int, count: int) -> Runs:
    """Where C{count} bytes of what is in runs are, from the C{first} on."""
    found = []
    for start, length in runs:
        skipped = min(first, length)
        taken = min(length - skipped, count)
        if taken:
            found.append((start + skipped, taken))
        first -= skipped
        count -= taken
    return tuple(found)


def merged(runs: Iterable[tuple[int, int]]) -> Runs:
    """The same with those made one that follow each other, and without those that are empty."""
    found: list[tuple[int, int]] = []
    for first, count in runs:
        if found and sum(found[-1]) == first:
            found[-1] = (found[-1][0], found[-1][1] + count)
        elif count:
            found.append((first, count))
    return tuple(found)


def read_runs(descriptor: int, runs: Runs, reach: Reach = TO_DISK) -> bytes:
    """The bytes that are in some runs of a file: few."""
    return b"".join(reach.read(descriptor, count, first) for first, count in runs)


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

    def __init__(self, file: BinaryIO, first: int = 0) -> None:
        """
        @param first: where in the file it begins to write; it is there.
        """
        self._file = file
        self._written = self._begun = first

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


_fallocate = ctypes.CDLL(None, use_errno=True).fallocate
_fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_KEEP_SIZE, _PUNCH_HOLE = 1, 2  # [linux/falloc.h]


def give_back(descriptor: int, first: int, count: int) -> None:
    """Let go of the room that bytes of a file take; they are zero then, if the disk can do that."""
    if count > 0:
        _fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, first, count)


def give_back_others(descriptor: int, used: Sequence[tuple[int, int]], end: int) -> None:
    """Let go of the room of the bytes before C{end} that are in none of some runs."""
    at = 0
    for first, count in sorted(used):
        give_back(descriptor, at, first - at)
        at = first + count
    give_back(descriptor, at, end - at)


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


def pieces(file: BinaryIO, runs: Runs) -> Iterator[bytes]:
    """The bytes of an object's file that are in some runs; it is closed after them."""
    with file:
        for first, count in runs:
            file.seek(first)
            while data := file.read(min(_PIECE, count)):
                count -= len(data)
                yield data
