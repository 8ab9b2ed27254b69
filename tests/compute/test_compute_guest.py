"""Rows as hypervisors see them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nova_tx.compute.guest import Places, guest, image_ids
from nova_tx.model.guests import BootFiles
from nova_tx.testing.guests import NIC
from nova_tx.testing.rows import an_instance

PLACES = Places("instance-%08x", "/instances")
FILES = BootFiles("/base/ami", "/base/aki", "/base/ari")


@pytest.mark.parametrize(
    ("template", "instance_id", "name"),
    [
        ("instance-%08x", 10, "instance-0000000a"),
        ("instance-%d", 10, "instance-10"),
        ("vm%x.cloud", 255, "vmff.cloud"),
        ("%04d-guest", 12345, "12345-guest"),
    ],
)
def test_names_and_back(template: str, instance_id: int, name: str) -> None:
    """A guest's name says which instance it is, whatever the template."""
    places = Places(template, "/instances")
    assert places.name(instance_id) == name
    assert places.instance_id(name) == instance_id


@pytest.mark.parametrize(
    "name", ["_base", "instance-", "instance-a", "instance-0000000A", "instance-0x00000a", "x" * 17]
)
def test_foreign_names(name: str) -> None:
    """A name that the template does not make belongs to no instance."""
    assert PLACES.instance_id(name) is None


def test_template_without_number() -> None:
    """With a template without a number no guest is taken for ours."""
    assert Places("guest", "/instances").instance_id("guest") is None


def test_spec() -> None:
    """The guest has the row's sizes, its address and its files, in its own directory."""
    row = an_instance(id=10, instance_type="m1.small", memory_mb=2048, vcpus=2, local_gb=20)
    spec = guest(row, NIC, FILES, PLACES, 1000)
    assert spec.name == "instance-0000000a"
    assert spec.directory == "/instances/instance-0000000a"
    assert (spec.image, spec.kernel, spec.ramdisk) == ("/base/ami", "/base/aki", "/base/ari")
    assert (spec.memory_mb, spec.vcpus, spec.local_gb) == (2048, 2, 20)
    assert spec.root_bytes == 1000
    assert spec.nics == (NIC,)


def test_second_disk() -> None:
    """The second disk is where it was asked for at launch, or left out."""
    row = an_instance(local_gb=20)
    spec = guest(row, NIC, FILES, PLACES, 0)
    assert (spec.local_gb, spec.local_device) == (20, "vdb")
    moved = replace(row, block_devices='{"ephemeral0": "/dev/sdd"}')
    spec = guest(moved, NIC, FILES, PLACES, 0)
    assert (spec.local_gb, spec.local_device) == (20, "vdd")
    assert guest(replace(row, block_devices='{"ephemeral0": null}'), NIC, FILES, PLACES, 0) == (
        replace(guest(row, NIC, FILES, PLACES, 0), local_gb=0)
    )


def test_tiny_is_not_grown() -> None:
    """An m1.tiny keeps its image's size."""
    assert guest(an_instance(), NIC, FILES, PLACES, 1000).root_bytes == 0


@pytest.mark.parametrize(
    ("kernel", "ramdisk", "wanted"),
    [
        ("aki-1", "ari-1", ("ami-tiny", "aki-1", "ari-1")),
        ("aki-1", None, ("ami-tiny", "aki-1", None)),
        ("aki-1", "", ("ami-tiny", "aki-1", None)),
        (None, "ari-1", ("ami-tiny", None, None)),
        ("nokernel", "ari-1", ("ami-tiny", None, None)),
        ("", None, ("ami-tiny", None, None)),
    ],
)
def test_image_ids(
    kernel: str | None, ramdisk: str | None, wanted: tuple[str, str | None, str | None]
) -> None:
    """A ramdisk goes with a kernel only, and the null kernel is none."""
    assert image_ids(an_instance(kernel_id=kernel, ramdisk_id=ramdisk), "nokernel") == wanted
