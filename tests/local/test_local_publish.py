"""What of a tarball is published, and as what."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from nova_tx.local.publish import Published, bundle_arch, choose, extract
from nova_tx.local.publish_command import IMAGE, TARBALL, kind, main, tarball_parser
from nova_tx.local.terminal import LocalError

#: A bzImage, which has a boot sector's mark, too.
KERNEL = bytes(510) + b"\x55\xaa" + bytes(2) + b"HdrS" + bytes(100)


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


def test_the_loader_if_it_is_wanted() -> None:
    """With --use-loader the loader counts more than the kernel, and has to be there."""
    files = paths("a-vmlinuz", "a-loader", "a.img")
    assert choose(files, use_loader=True).kernel == Path("/x/a-loader")
    with pytest.raises(LocalError, match="no loader"):
        choose(paths("a-vmlinuz", "a.img"), use_loader=True)


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
    assert main([TARBALL, str(tmp_path / "x.tar.gz"), "bucket"]) == 1
    assert "source the novarc" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (TARBALL,),
        (TARBALL, "only-one"),
        (TARBALL, "--no-such-option", "x.tar.gz", "bucket"),
        (TARBALL, "-k", "aki-1", "--use-loader", "x.tar.gz", "bucket"),
        (TARBALL, "-R", "/no/such/file", "x.tar.gz", "bucket"),
        (TARBALL, "x.tar.gz", "bucket", "vax"),
        (TARBALL, "x.tar.gz", ""),
        (TARBALL, "x.tar.gz", "bucket/folder"),
        (TARBALL, "x.tar.gz", "küche"),
        (TARBALL, "--rename-image", "a/b", "x.tar.gz", "bucket"),
        (TARBALL, "--rename-kernel", "", "x.tar.gz", "bucket"),
        (IMAGE, "--rename", "..", "i386", __file__, "bucket"),
        (IMAGE, "i386", __file__, "bucket/folder"),
        (IMAGE, "i386", __file__),
        (IMAGE, "vax", __file__, "bucket"),
        (IMAGE, "-t", "tape", "i386", __file__, "bucket"),
        (IMAGE, "-t", "kernel", "-r", "ari-1", "i386", __file__, "bucket"),
        (IMAGE, "-k", "aki-1", "-K", __file__, "i386", __file__, "bucket"),
    ],
)
def test_wrong_words_get_the_usage(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """What the programs do not take is status 1 and the usage, and nothing on stdout."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"usage: {words[0]}")
    assert said.out == ""


def test_options_of_a_tarball() -> None:
    """Options may come before, between and after what is published, as getopt has it."""
    said = tarball_parser().parse_intermixed_args(
        ["-k", "aki-1", "x.tar.gz", "--ramdisk", "none", "-q", "bucket", "--rename-image=y", "i386"]
    )
    assert (said.kernel, said.ramdisk, said.quiet, said.rename_image) == (
        "aki-1",
        "none",
        True,
        "y",
    )
    assert (str(said.tarball), said.bucket, said.arch) == ("x.tar.gz", "bucket", "i386")


def test_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run says what it would do, and asks nobody."""
    (tmp_path / "vmlinuz").write_bytes(KERNEL)
    words = (IMAGE, "-n", "--rename", "linux", "amd64", str(tmp_path / "vmlinuz"), "bucket/")
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == "eki-xxxxxxxx\tbucket/linux.manifest.xml\n"
    assert "[kernel]" in said.err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (KERNEL, "kernel"),
        (gzip.compress(bytes(56) + b"ARM\x64"), "kernel"),
        (b"070701" + bytes(4000), "ramdisk"),
        (gzip.compress(b"070701" + bytes(4000)), "ramdisk"),
        (bytes(0x438) + b"\x53\xef" + bytes(4000), "image"),
        (bytes(510) + b"\x55\xaa", "image"),
    ],
)
def test_kinds(tmp_path: Path, content: bytes, expected: str) -> None:
    """Kernels, ramdisks and disks are known by what they begin with."""
    (tmp_path / "file").write_bytes(content)
    assert kind(tmp_path / "file") == expected


def test_unknown_kind(tmp_path: Path) -> None:
    """What can't be told has to be said."""
    (tmp_path / "file").write_bytes(b"anything")
    with pytest.raises(LocalError, match="--type"):
        kind(tmp_path / "file")
