"""
A plain file on its way from a bucket to a disk, unpacked if it is packed. Everything here blocks.

No more is written than an image may have bytes, and no more is held than a few
pieces, whatever a file of a kilobyte unpacks to.
"""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from nova_tx.errors import ImageError
from nova_tx.objectstore.disk.files import Writer

_PIECE = 2**20
#: Bytes that unpacking may need: more than xz's strongest setting does.
_MEMORY = 2**28
_BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


class _Stream(Protocol):
    """As bz2 and lzma have them."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's, in the way of the others."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._full = False

    @property
    def needs_input(self) -> bool:
        return not self._full

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        found = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # a full piece: there may be more, although nothing is left to read
        self._full = len(found) == max_length
        return found


_STREAMS: dict[str, Callable[[], _Stream]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY),
}
#: What L{unpacked} unpacks.
KINDS = frozenset(_STREAMS)


def unpacked(kind: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """
    What packed pieces unpack to, in pieces of a bounded size.

    @param kind: one of L{KINDS}; there may be several of it, one after the other.
    @raise ImageError: they are damaged, or end too early.
    """
    stream: _Stream | None = None
    for piece in pieces:
        data = piece
        while True:
            if stream is None:
                data = data.lstrip(b"\0")  # what fills up the last block of a tape, or of xz
                if not data:
                    break
                stream = _STREAMS[kind]()
            try:
                found = stream.decompress(data, _PIECE)
            except _BROKEN as error:
                raise ImageError(f"the image can't be unpacked: it is no right {kind}") from error
            yield found
            if stream.eof:
                data, stream = stream.unused_data, None
            elif stream.needs_input:
                break
            else:
                data = b""
    if stream is not None:
        raise ImageError(f"the image can't be unpacked: it ends in the middle of {kind}")


def write(
    pieces: Iterator[bytes],
    target: str,
    limit: int,
    keep_on: Callable[[], None],
) -> int:
    """
    Write pieces to a new file, safe on the disk, whose zeros take no room; returns its size.

    @param limit: bytes of the largest file.
    @param keep_on: called now and then; what it raises ends the work.
    @raise ImageError: there are more bytes than that, or none.
    """
    size = 0
    with open(target, "xb") as file:
        writer = Writer(file)
        for piece in pieces:
            keep_on()
            size += len(piece)
            if size > limit:
                raise ImageError(f"the image is larger than {limit} bytes")
            if piece.count(0) == len(piece):
                writer.skip(len(piece))
            else:
                writer.write(piece)
        if not size:
            raise ImageError("the image is empty")
        file.truncate(size)
        file.flush()
        os.fsync(file.fileno())
    return size


def counted(pieces: Iterator[bytes], report: Callable[[int], None]) -> Iterator[bytes]:
    """The same pieces; how many bytes there were so far is reported."""
    done = 0
    for piece in pieces:
        done += len(piece)
        report(done)
        yield piece
