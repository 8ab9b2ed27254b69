"""What is kept of a publication, until it is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nova_tx.local.kept import STALE, Shelf


def _make(directory: str) -> None:
    for name in ("x.part.0", "x.part.1", "x.manifest.xml"):
        Path(directory, name).write_bytes(os.urandom(10))


def _source(tmp_path: Path, content: bytes = b"disk") -> Path:
    path = tmp_path / "source"
    path.write_bytes(content)
    return path


def test_kept(tmp_path: Path) -> None:
    """The second run of the same finds the bundle of the first, manifest last; others do not."""
    shelf = Shelf(tmp_path / "shelf")
    with shelf.open():
        source = _source(tmp_path)
        first = shelf.of(source, ("bucket", "x"))
        assert not first.begun
        files = first.files(_make)
        assert [each.name for each in files] == ["x.part.0", "x.part.1", "x.manifest.xml"]
        content = [each.read_bytes() for each in files]
        again = shelf.of(source, ("bucket", "x"))
        assert again.begun
        assert [each.read_bytes() for each in again.files(_make)] == content
        assert not shelf.of(source, ("bucket", "y")).begun
        assert not shelf.of(_source(tmp_path, b"another"), ("bucket", "x")).begun


def test_half(tmp_path: Path) -> None:
    """A bundle that was not whole when its making ended is none."""
    shelf = Shelf(tmp_path / "shelf")
    with shelf.open():
        kept = shelf.of(_source(tmp_path), ())

        def fail(directory: str) -> None:
            _make(directory)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            kept.files(fail)
        assert not kept.begun
        assert len(kept.files(_make)) == 3


def test_registered(tmp_path: Path) -> None:
    """What is registered is known by its id, and takes no room; forgotten, it was never there."""
    shelf = Shelf(tmp_path / "shelf")
    with shelf.open():
        kept = shelf.of(_source(tmp_path), ())
        kept.files(_make)
        kept.registered("ami-1")
        again = shelf.of(_source(tmp_path), ())
        assert (again.begun, again.image_id) == (True, "ami-1")
        assert list((tmp_path / "shelf").rglob("*.part.*")) == []
        again.forget()
        assert not shelf.of(_source(tmp_path), ()).begun


def test_stale(tmp_path: Path) -> None:
    """What nobody went on with for a week is removed, what was touched since is not."""
    now = 2e9
    shelf = Shelf(tmp_path / "shelf", lambda: now)
    with shelf.open():
        old, new = shelf.of(_source(tmp_path), ("old",)), shelf.of(_source(tmp_path), ("new",))
        for kept, age in ((old, STALE + 1), (new, STALE - 1)):
            kept.files(_make)
            os.utime(kept._directory, (now - age, now - age))
    with shelf.open():
        assert (old.begun, new.begun) == (False, True)
