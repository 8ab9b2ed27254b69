"""Copies of large files, holes and all, made by threads a stretch at a time."""

from __future__ import annotations

import errno
import os
from typing import BinaryIO

from twisted.internet.threads import deferToThread

#: Bytes that a thread copies before another may have it.
_STRETCH = 2**26
#: What a kernel says that can't copy between these file systems by itself.
_NOT_ABLE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


async def copy(source: BinaryIO, target: BinaryIO) -> int:
    """
    Make an empty file a copy of another; returns its size in bytes.

    File systems that can share the bytes of two files are let do so.

    @raise OSError: it can't be read or written, or became shorter.
    """
    size = os.fstat(source.fileno()).st_size
    place = 0
    while place < size:
        # a thread goes on when who waits for it is cancelled and closes the files: it has its own
        own = os.dup(source.fileno()), os.dup(target.fileno())
        place = await deferToThread(_stretch, *own, place, size)
    await deferToThread(os.ftruncate, target.fileno(), size)
    return size


def _stretch(source: int, target: int, place: int, size: int) -> int:
    """Copy the next bytes that are there, and close both; returns where they end."""
    with open(source, "rb", buffering=0), open(target, "r+b", buffering=0):
        try:
            place = os.lseek(source, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return size  # all the rest is a hole
        end = min(os.lseek(source, place, os.SEEK_HOLE), place + _STRETCH, size)
        while place < end:
            count = _some(source, target, place, end - place)
            if not count:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            place += count
        return place


def _some(source: int, target: int, place: int, count: int) -> int:
    try:
        return os.copy_file_range(source, target, count, place, place)
    except OSError as error:
        if error.errno not in _NOT_ABLE:
            raise
    os.lseek(target, place, os.SEEK_SET)
    return os.sendfile(target, source, place, count)
