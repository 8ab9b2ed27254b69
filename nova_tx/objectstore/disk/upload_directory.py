"""
The directory of one upload in parts. Everything here blocks: call it in a thread.

C{upload.json} is what is known of it, C{data} the bytes of its parts, and C{parts} has a line for
each part that is there: the last one of a number counts.  It goes on as long as there is C{data}.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import BinaryIO

from nova_tx.objectstore.bounds import GATHERED
from nova_tx.objectstore.disk.files import give_back_others, write_small
from nova_tx.objectstore.faults import NoSuchUpload
from nova_tx.objectstore.upload_ids import is_id, over
from nova_tx.objectstore.uploads import Part, Upload, upload_of

DATA = "data"
_UPLOAD, _PARTS = "upload.json", "parts"


def is_one(path: str) -> bool:
    """Whether a directory is one of an upload, by its name."""
    return is_id(os.path.basename(path))


def make(path: str, upload: Upload, settle: Callable[[int], None]) -> None:
    """
    Make the directory.

    @param settle: has the bytes of a file, by its descriptor, safe on the disk.
    """
    os.mkdir(path, 0o700)
    known = json.dumps(asdict(upload)).encode()
    for name, content in ((_UPLOAD, known), (DATA, b""), (_PARTS, b"")):
        descriptor = write_small(os.path.join(path, name), content)
        try:
            settle(descriptor)
        finally:
            os.close(descriptor)


def opened(path: str) -> tuple[Upload, BinaryIO]:
    """
    What is known of the upload, and the file of its bytes, which others know to be in use.

    @raise NoSuchUpload: it is over.
    """
    try:
        with open(os.path.join(path, _UPLOAD), "rb") as known:
            upload = upload_of(json.load(known))
        file = open(os.path.join(path, DATA), "r+b", buffering=GATHERED)  # noqa: SIM115
    except (FileNotFoundError, NotADirectoryError):
        raise over() from None
    fcntl.flock(file, fcntl.LOCK_SH)  # until it is closed, by whoever dies, too
    return upload, file


def check(path: str) -> None:
    """
    See that the upload goes on, while nobody changes names.

    @raise NoSuchUpload: it is over.
    """
    if not os.path.exists(os.path.join(path, DATA)):
        raise over()


def parts(path: str) -> dict[int, tuple[Part, int]]:
    """
    The parts by number, each with where it begins in the file.

    @raise NoSuchUpload: the upload is over.
    """
    found = {}
    try:
        with open(os.path.join(path, _PARTS), "rb") as file:
            for line in file:
                try:
                    known = json.loads(line)
                except ValueError:  # what was not written whole was not acknowledged
                    continue
                first = known.pop("first")
                found[known["number"]] = (Part(**known), first)
    except FileNotFoundError:
        raise over() from None
    return found


def open_lines(path: str) -> int:
    """A descriptor for L{add_line}."""
    return os.open(os.path.join(path, _PARTS), os.O_WRONLY | os.O_APPEND)


def add_line(descriptor: int, part: Part, first: int) -> None:
    """Say that a part is there, and where it begins in the file."""
    # in a line of its own, even if what was to be the last one is not whole
    line = b"\n%s\n" % json.dumps({**asdict(part), "first": first}).encode()
    if os.write(descriptor, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def give_back_lost(path: str) -> None:
    """Let go of the room of parts that did not come, if nobody is about to fill it."""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(path, DATA), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            used = [(first, part.size) for part, first in parts(path).values()]
            check(path)  # else it became an object, which ends where nothing is used
        except (BlockingIOError, NoSuchUpload):
            return
        give_back_others(file.fileno(), used, os.fstat(file.fileno()).st_size)
