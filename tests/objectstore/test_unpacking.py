"""Packed pieces, and what they unpack to."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_tx.errors import ImageError
from nova_tx.objectstore.unpacking import counted, unpacked, write

CONTENT = os.urandom(100_000) + bytes(3_000_000) + os.urandom(100_000)
KINDS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def _pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@pytest.mark.parametrize("size", [1, 1000, 10**7])
@pytest.mark.parametrize("kind", KINDS)
def test_unpacked(kind: str, size: int) -> None:
    """However it is cut, what was packed is unpacked, several of it too, in bounded pieces."""
    content = CONTENT if size > 1 else CONTENT[:5000]
    twice = KINDS[kind](content) + bytes(8) + KINDS[kind](b"the end")
    found = list(unpacked(kind, _pieces(twice, size)))
    assert b"".join(found) == content + b"the end"
    assert max(map(len, found)) <= 2**20


@pytest.mark.parametrize("kind", KINDS)
def test_broken(kind: str) -> None:
    """What is damaged, ends early or has something else behind it is refused."""
    whole = KINDS[kind](CONTENT)
    damaged = whole[: len(whole) // 2] + b"damage" + whole[len(whole) // 2 + 6 :]
    for content in (whole[:-9], damaged, whole + b"garbage"):
        with pytest.raises(ImageError, match=kind):
            list(unpacked(kind, _pieces(content, 4096)))


def test_write(tmp_path: Path) -> None:
    """A file is written whole, with holes where there are zeros; too much or nothing is refused."""
    target = tmp_path / "target"
    assert write(iter((b"a" * 10, bytes(2**20), b"b", bytes(5))), str(target), 2**21, list) == (
        2**20 + 16
    )
    assert target.read_bytes() == b"a" * 10 + bytes(2**20) + b"b" + bytes(5)
    assert target.stat().st_blocks * 512 < 2**19
    with pytest.raises(ImageError, match="larger than 99"):
        write(iter((b"a" * 50, b"b" * 50)), str(tmp_path / "more"), 99, list)
    with pytest.raises(ImageError, match="empty"):
        write(iter(()), str(tmp_path / "none"), 99, list)


def test_write_stops(tmp_path: Path) -> None:
    """Whoever is asked whether to go on may end the work."""

    def stop() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        write(iter((b"a", b"b")), str(tmp_path / "target"), 99, stop)


def test_counted() -> None:
    """Pieces are counted as they pass."""
    seen: list[int] = []
    assert list(counted(iter((b"ab", b"", b"c")), seen.append)) == [b"ab", b"", b"c"]
    assert seen == [2, 2, 3]
