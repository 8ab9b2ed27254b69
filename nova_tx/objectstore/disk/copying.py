"""
Bytes of an object on their way into another file: by the kernel alone, or through memory for the
digests that nobody knows of them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping
from typing import BinaryIO

from nova_tx.objectstore.digests import Digest
from nova_tx.objectstore.disk.files import Runs, start_writing

#: Bytes that a thread copies before it lets others have their turn, and at a time.
_TURN, _PIECE = 2**25, 2**20
#: What the kernel says if it can't copy between two files.
_CANNOT = frozenset((errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL))


class Copy:
    """Copies runs of a file to another one. Blocks."""

    def __init__(
        self,
        source: BinaryIO,
        runs: Runs,
        target: BinaryIO,
        first: int,
        digests: Mapping[str, Digest],
    ) -> None:
        """
        @param first: where in the target to begin.
        @param digests: are given each byte; if there are none, memory sees none.
        """
        self._source = source.fileno()
        self._target = target.fileno()
        self._runs = list(runs)
        self._at = first
        self._digests = tuple(digests.values())
        self._by_kernel = not digests

    def turn(self) -> bool:
        """Copy some; whether there is more."""
        begun = self._at
        while self._runs and self._at < begun + _TURN:
            first, left = self._runs[0]
            count = self._some(first, min(left, begun + _TURN - self._at))
            if not count:
                raise EOFError("the file is shorter than it was")
            self._at += count
            self._runs[:1] = [(first + count, left - count)] if count < left else []
        start_writing(self._target, begun, self._at - begun)
        return bool(self._runs)

    def _some(self, first: int, count: int) -> int:
        if self._by_kernel:
            try:
                return os.copy_file_range(self._source, self._target, count, first, self._at)
            except OSError as error:
                if error.errno not in _CANNOT:
                    raise
                self._by_kernel = False
        piece = os.pread(self._source, min(count, _PIECE), first)
        update(self._digests, piece)
        written = 0
        while written < len(piece):
            written += os.pwrite(self._target, piece[written:], self._at + written)
        return written


def update(digests: Iterable[Digest], piece: bytes) -> None:
    """Give bytes to digests."""
    for digest in digests:
        digest.update(piece)
