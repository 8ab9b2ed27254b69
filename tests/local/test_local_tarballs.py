"""Tarballs give their files, and nothing that would leave the directory."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from nova_tx.local.tarballs import unpack


def packed(path: Path, *members: tarfile.TarInfo) -> Path:
    """A tarball of members, of which a regular file says its own name."""
    with tarfile.open(path, "w:gz") as archive:
        for each in members:
            text = each.name.encode() if each.isreg() else b""
            each.size = len(text)
            archive.addfile(each, io.BytesIO(text))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """One member, root's and open to all."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, 0o6777
    return made


@pytest.mark.parametrize("newer", [True, False])
def test_files(newer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files come out with their directories, as ours; links and devices do not, on any Python."""
    if not newer:
        monkeypatch.delattr(tarfile, "data_filter")
    tarball = packed(
        tmp_path / "it.tar.gz",
        member("a/disk.img"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("null", tarfile.CHRTYPE),
        member("vmlinuz"),
    )
    out = tmp_path / "out"
    assert unpack(tarball, out) == [out / "a/disk.img", out / "vmlinuz"]
    assert (out / "a/disk.img").read_bytes() == b"a/disk.img"
    assert not stat.S_IMODE(os.stat(out / "vmlinuz").st_mode) & 0o6111
    assert sorted(each.name for each in out.iterdir()) == ["a", "vmlinuz"]


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil-of-a-tarball"])
def test_outside(name: str, newer: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leaves the directory is refused, and nothing is written there."""
    if not newer:
        monkeypatch.delattr(tarfile, "data_filter")
    with pytest.raises(tarfile.TarError, match="evil"):
        unpack(packed(tmp_path / "it.tar.gz", member(name)), tmp_path / "out")
    assert not (tmp_path / "evil").exists() and not Path("/tmp/evil-of-a-tarball").exists()
