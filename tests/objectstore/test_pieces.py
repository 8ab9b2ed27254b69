"""A file that is sent over TLS goes piece by piece, as fast as it is taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from nova_tx.objectstore.pieces import PieceSender
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.full_request import FullRequest

SLICE = 2**16


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    """Of ten slices and a little more."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (10 * SLICE // 256) + b"end")
    with path.open("rb") as found:
        yield found


def sender(request: FullRequest, file: BinaryIO, *runs: tuple[int, int]) -> PieceSender:
    """One that has begun."""
    made = PieceSender(request, file, runs, InlinePool())
    made.start()
    return made


def test_slices(file: BinaryIO) -> None:
    """A slice goes out at a time; the last must have been taken before all is done."""
    request = FullRequest()
    made = sender(request, file, (0, 10 * SLICE + 3))
    for count in range(1, 11):
        assert made.awaited and made.sent == len(request.found) == count * SLICE
        made.resumeProducing()
    assert made.sent == 10 * SLICE + 3 and not made.done.called
    made.resumeProducing()
    assert made.done.result is True and request.producer is None
    file.seek(0)
    assert request.found == file.read()


def test_runs(file: BinaryIO) -> None:
    """Runs are sent in order, whole."""
    request = FullRequest(full=False)
    made = sender(request, file, (10 * SLICE, 3), (1, 5), (0, 5 * SLICE))
    assert made.done.result is True
    assert request.found[:8] == b"end\x01\x02\x03\x04\x05" and made.sent == 5 * SLICE + 8


def test_full_before(file: BinaryIO) -> None:
    """Nothing is read while an answer of before is still on its way."""
    request = FullRequest(waiting=True)
    made = sender(request, file, (0, 3))
    assert request.found == b"" and made.awaited
    made.resumeProducing()
    assert request.found == b"\x00\x01\x02"


def test_gone(file: BinaryIO) -> None:
    """A client that goes away ends it."""
    request = FullRequest()
    made = sender(request, file, (0, 10 * SLICE))
    made.stopProducing()
    assert made.done.result is False and len(request.found) == SLICE
    made.resumeProducing()
    assert len(request.found) == SLICE


def test_short(file: BinaryIO) -> None:
    """A file that is shorter than was said ends it, and the connection is given back."""
    request = FullRequest(full=False)
    made = sender(request, file, (10 * SLICE, 4))
    assert request.found == b"end" and made.done.result is False and request.producer is None
