"""Pieces of the guest image: module order, ramdisk archive, which kernel."""

from __future__ import annotations

import lzma
import os
import stat
from pathlib import Path

from nova_tx.local.cpio import Entry, archive, entries
from nova_tx.local.guest_image import Machine, recipe
from nova_tx.local.kernel_modules import gather, load_order, module_name, needs


def test_a_module_says_what_it_needs() -> None:
    """Dependencies are read from the module itself, with dashes as underscores."""
    assert needs(b"\x7fELF..\0depends=virtio-ring,virtio\0name=x\0") == ("virtio_ring", "virtio")
    assert needs(b"license=GPL\0depends=\0") == ()
    assert needs(b"no section at all") == ()


def test_what_is_needed_is_loaded_first() -> None:
    """Each module comes once, after all that it needs; built-in ones are left out."""
    depends = {"net": ("ring", "failover"), "failover": (), "ring": (), "disk": ("ring", "builtin")}
    order = load_order(["net", "disk", "absent"], depends)
    assert order == ["ring", "failover", "net", "disk"]


def test_modules_are_found_and_unpacked(tmp_path: Path) -> None:
    """Compressed or not, under either spelling, a wanted module and its needs are gathered."""
    (tmp_path / "drivers").mkdir()
    (tmp_path / "drivers" / "virtio-rng.ko").write_bytes(b"\0depends=virtio\0")
    (tmp_path / "virtio.ko.xz").write_bytes(lzma.compress(b"\0depends=\0"))
    (tmp_path / "other.ko").write_bytes(b"\0depends=\0")
    found = gather(tmp_path, ["virtio_rng", "ext4"])
    assert found == [("virtio", b"\0depends=\0"), ("virtio_rng", b"\0depends=virtio\0")]


def test_names_of_modules() -> None:
    """A file's name without its suffixes, with underscores, is the module's name."""
    assert module_name(Path("virtio-rng.ko.zst")) == "virtio_rng"


def test_a_ramdisk_is_aligned_and_ended() -> None:
    """Headers and contents begin at multiples of four, and the trailer is last."""
    packed = archive([Entry("a", stat.S_IFREG | 0o644, b"12345"), Entry("dir", stat.S_IFDIR)])
    assert packed.startswith(b"070701") and len(packed) % 4 == 0
    places = [n for n in range(len(packed)) if packed.startswith(b"070701", n)]
    assert len(places) == 3 and all(place % 4 == 0 for place in places)
    assert packed[places[-1] :].rstrip(b"\0").endswith(b"TRAILER!!!")


def test_a_ramdisk_holds_what_the_directory_holds(tmp_path: Path) -> None:
    """Files, links and their modes go into the archive, parents before what is in them."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "busybox").write_bytes(b"program")
    os.chmod(tmp_path / "bin" / "busybox", 0o755)
    (tmp_path / "bin" / "sh").symlink_to("busybox")
    found = entries(tmp_path)
    assert [(e.name, e.content) for e in found] == [
        ("bin", b""),
        ("bin/busybox", b"program"),
        ("bin/sh", b"busybox"),
    ]
    assert stat.S_IMODE(found[1].mode) == 0o755 and stat.S_ISLNK(found[2].mode)


def test_the_kernel_is_the_one_for_virtual_machines() -> None:
    """Each distribution and architecture has its own small kernel package."""
    assert Machine("debian", "bookworm", "amd64").kernel_package == "linux-image-cloud-amd64"
    assert Machine("debian", "bookworm", "arm64").kernel_package == "linux-image-cloud-arm64"
    assert Machine("ubuntu", "noble", "amd64").kernel_package == "linux-image-virtual"
    assert Machine("debian", "bookworm", "riscv64").kernel_package == "linux-image-riscv64"


def test_another_machine_is_another_recipe() -> None:
    """An image made for one release or architecture is not taken for another's."""
    machines = [
        Machine("debian", "bookworm", "amd64"),
        Machine("debian", "trixie", "amd64"),
        Machine("debian", "bookworm", "arm64"),
    ]
    assert len({recipe(machine) for machine in machines}) == 3
    assert recipe(machines[0]) == recipe(machines[0])
