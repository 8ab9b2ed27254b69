"""
How far a file is reached for: to the disk, or no further than what the kernel has in memory.

The second never waits, so the event loop may do it; it finds what was read or written lately.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Protocol

#: Of openat2: nothing but what is in memory.                       [linux/openat2.h, Linux 5.12]
_RESOLVE_CACHED = 0x20
_OPENAT2, _AT_FDCWD = 437, -100
_READ = os.O_RDONLY | os.O_CLOEXEC


class OutOfReach(Exception):
    """It would have to be waited for, or this kernel or file system can't say so."""


class Reach(Protocol):
    """Opens and reads files."""

    def open(self, path: str) -> int:
        """
        A descriptor for reading.

        @raise OSError, OutOfReach: there is none.
        """

    def read(self, descriptor: int, count: int, first: int) -> bytes:
        """
        C{count} bytes of a file, or fewer if it ends before.

        @raise OSError, OutOfReach: they can't be had.
        """


class ToDisk:
    """Waits for the disk: for threads."""

    def open(self, path: str) -> int:
        return os.open(path, _READ)

    def read(self, descriptor: int, count: int, first: int) -> bytes:
        return os.pread(descriptor, count, first)


class _How(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_HOW = _How(_READ, 0, _RESOLVE_CACHED)
# with the interpreter held: it returns at once
_syscall = ctypes.PyDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (
    *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p),
    *(ctypes.POINTER(_How), ctypes.c_size_t),
)


class ToMemory:
    """Never waits: for the event loop."""

    def open(self, path: str) -> int:
        size = ctypes.sizeof(_HOW)
        found: int = _syscall(_OPENAT2, _AT_FDCWD, os.fsencode(path), ctypes.byref(_HOW), size)
        if found >= 0:
            return found
        number = ctypes.get_errno()
        if number == errno.ENOENT:
            raise FileNotFoundError(number, os.strerror(number), path)
        raise OutOfReach

    def read(self, descriptor: int, count: int, first: int) -> bytes:
        buffer = bytearray(count)
        try:
            read = os.preadv(descriptor, [buffer], first, os.RWF_NOWAIT)
        except OSError:  # EAGAIN; EOPNOTSUPP of file systems that know nothing of it
            raise OutOfReach from None
        if read < count:  # the rest is on the disk, or nowhere
            raise OutOfReach
        return bytes(buffer)


TO_DISK = ToDisk()
TO_MEMORY = ToMemory()
