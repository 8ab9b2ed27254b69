"""Copies of files, a stretch at a time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nova_tx.image import copying


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches of a few pages."""
    monkeypatch.setattr(copying, "_STRETCH", 3 * 4096)


def _not_able(*args: object) -> int:
    raise OSError(errno.EXDEV, "another file system")


async def _copied(source: Path, target: Path) -> int:
    with open(source, "rb") as there, open(target, "wb") as here:
        return await copying.copy(there, here)


@pytest.mark.parametrize("able", [True, False])
@pytest.mark.parametrize("size", [0, 1, 4096, 100_001])
async def test_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, able: bool) -> None:
    """A copy has the bytes of its source, whoever copies them: the kernel alone, or through us."""
    if not able:
        monkeypatch.setattr(os, "copy_file_range", _not_able)
    (tmp_path / "source").write_bytes(os.urandom(size))
    assert await _copied(tmp_path / "source", tmp_path / "target") == size
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()


async def test_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a source leaves out its copy leaves out, at the end too."""
    monkeypatch.setattr(os, "copy_file_range", _not_able)
    with open(tmp_path / "source", "wb") as file:
        os.pwrite(file.fileno(), b"something", 2**20)
        file.truncate(2**21 + 5)
    assert await _copied(tmp_path / "source", tmp_path / "target") == 2**21 + 5
    assert (tmp_path / "target").read_bytes() == (tmp_path / "source").read_bytes()
    assert (tmp_path / "target").stat().st_blocks == (tmp_path / "source").stat().st_blocks


async def test_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that loses its end while it is copied has no copy."""
    (tmp_path / "source").write_bytes(b"x" * 10_000)
    monkeypatch.setattr(os, "copy_file_range", lambda *args: 0)
    with pytest.raises(OSError, match="shorter"):
        await _copied(tmp_path / "source", tmp_path / "target")


async def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What else goes wrong is said as it is."""

    def full(*args: object) -> int:
        raise OSError(errno.ENOSPC, "no room")

    (tmp_path / "source").write_bytes(b"x")
    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(OSError, match="no room"):
        await _copied(tmp_path / "source", tmp_path / "target")
