"""What of a tarball is published, and as what."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from nova_tx.local.publish import Published, bundle_arch, choose, extract, main
from nova_tx.local.terminal import LocalError


def paths(*names: str) -> list[Path]:
    """Files of these names."""
    return [Path("/x") / name for name in names]


def test_files_are_told_by_their_names() -> None:
    """Kernel, ramdisk and disk are found whatever else the tarball holds."""
    found = choose(paths("README", "lucid-vmlinuz-virtual", "lucid-initrd-virtual", "lucid.img"))
    assert found.kernel == Path("/x/lucid-vmlinuz-virtual")
    assert found.ramdisk == Path("/x/lucid-initrd-virtual")
    assert found.image == Path("/x/lucid.img")


def test_a_ramdisk_called_img_is_no_disk() -> None:
    """A ramdisk whose name ends in .img is not taken for the disk."""
    found = choose(paths("a-vmlinuz", "initrd-2.6.img", "a.img"))
    assert (found.ramdisk, found.image) == (Path("/x/initrd-2.6.img"), Path("/x/a.img"))


def test_a_loader_stands_in_for_a_kernel() -> None:
    """Without a kernel its loader is published in its place; ramdisks may be missing."""
    found = choose(paths("a-loader", "a.img"))
    assert (found.kernel, found.ramdisk) == (Path("/x/a-loader"), None)


@pytest.mark.parametrize("names", [("a-vmlinuz",), ("a.img", "b.img")])
def test_one_disk_it_has_to_be(names: tuple[str, ...]) -> None:
    """A tarball without a disk, or with two, is refused."""
    with pytest.raises(LocalError, match=r"\*\.img"):
        choose(paths(*names))


@pytest.mark.parametrize(
    ("arch", "tarball", "expected"),
    [
        ("amd64", "image.tar.gz", "x86_64"),
        ("x86_64", "image.tar.gz", "x86_64"),
        ("i386", "image-amd64.tar.gz", "i386"),
        (None, "image-amd64.tar.gz", "x86_64"),
        (None, "image-x86_64.tar.gz", "x86_64"),
        (None, "image.tar.gz", "i386"),
    ],
)
def test_both_names_mean_64_bits(arch: str | None, tarball: str, expected: str) -> None:
    """amd64 and x86_64 are the same; without a word the tarball's name tells."""
    assert bundle_arch(arch, tarball) == expected


def test_the_last_line_is_for_a_shell() -> None:
    """What is printed can be evaluated by a shell; what there is not is none."""
    assert str(Published("ami-1", "ami-2", "ami-3")) == 'emi="ami-1"; eri="ami-2"; eki="ami-3";'
    assert str(Published("ami-1", None, None)) == 'emi="ami-1"; eri="none"; eki="none";'


def test_a_tarball_can_not_write_outside(tmp_path: Path) -> None:
    """A member that would land outside the directory is refused, and nothing is written there."""
    evil = tmp_path / "evil.tar.gz"
    with tarfile.open(evil, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"), io.BytesIO())
    with pytest.raises(LocalError, match="unpacked"):
        extract(evil, tmp_path / "in")
    assert not (tmp_path / "outside").exists()


def test_what_is_no_tarball_is_told(tmp_path: Path) -> None:
    """A file that is no tarball gets a sentence, not a traceback."""
    (tmp_path / "text").write_text("hello")
    with pytest.raises(LocalError, match="can't be unpacked"):
        extract(tmp_path / "text", tmp_path / "in")


def test_without_novarc_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who did not source a novarc is told to, with status 1."""
    for name in ("EC2_URL", "S3_URL", "EC2_ACCESS_KEY", "EC2_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert main([str(tmp_path / "x.tar.gz"), "bucket"]) == 1
    assert "source the novarc" in capsys.readouterr().err


def test_wrong_words_get_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Too few words are status 2 and the usage."""
    assert main(["only-one"]) == 2
    assert "TARBALL BUCKET" in capsys.readouterr().err
