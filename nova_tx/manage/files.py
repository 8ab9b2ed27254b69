"""Files for one person's eyes."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from nova_tx.errors import InvalidInput

#: Links of the system's own, to what this process was given.
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")


def write_private(path: str, content: bytes) -> None:
    """
    Write a file that only its owner can read, as L{private_writer}.

    @raise InvalidInput: it can't be written.
    """
    with private_writer(path) as file:
        file.write(content)


@contextmanager
def private_writer(path: str) -> Iterator[BinaryIO]:
    """
    A file to write that only its owner can read; it is there whole or not at all. [spec/15 A44]

    What was there is replaced, a link too: what it leads to is left alone.  A
    device, a pipe of one's own and C{/dev/stdout} are written to as they are.

    @raise InvalidInput: it can't be written.
    """
    try:
        if _is_replaced(path):
            with private_file(path) as new, open(new, "wb") as file:
                yield file
        else:
            flags = os.O_WRONLY | (0 if path.startswith(_STREAMS) else os.O_NOFOLLOW)
            with open(os.open(path, flags), "wb") as file:
                yield file
    except OSError as error:
        raise _refused(path, error) from None


@contextmanager
def private_file(path: str) -> Iterator[str]:
    """
    A new, empty file that only its owner can read; it gets its name if all goes well.

    A link of that name is replaced; a device, a pipe and C{/dev/stdout} are not.

    @raise InvalidInput: it can't be written, or is no file.
    """
    try:
        if not _is_replaced(path):
            raise InvalidInput(f"can't write {path}: it is no file")
        directory = os.path.dirname(path) or "."
        descriptor, new = tempfile.mkstemp(dir=directory, prefix=".nova-manage-")
        os.close(descriptor)
        try:
            yield new
            os.replace(new, path)
        except BaseException:
            os.unlink(new)
            raise
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: str, error: OSError) -> InvalidInput:
    return InvalidInput(f"can't write {path}: {error.strerror}")


def _is_replaced(path: str) -> bool:
    if path.startswith(_STREAMS):
        return False
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return True
    if stat.S_ISFIFO(found.st_mode) and found.st_uid != os.geteuid():
        raise InvalidInput(f"can't write {path}: it is a pipe of somebody else")
    return stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)
