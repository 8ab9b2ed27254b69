"""What libvirt is told of a guest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.testing.guests import NIC
from nova_tx.virt.libvirt.domain_xml import domain

SPEC = GuestSpec(
    name="instance-0000000a",
    directory="/instances/instance-0000000a",
    image="/instances/_base/ami-1",
    kernel="/instances/_base/aki-1",
    ramdisk="/instances/_base/ari-1",
    memory_mb=512,
    vcpus=2,
    root_bytes=0,
    local_gb=20,
    nics=(NIC,),
)


def _parsed(spec: GuestSpec = SPEC, kind: str = "qemu", cow: bool = True) -> Element:
    return fromstring(domain(spec, kind, cow))


@pytest.mark.parametrize("kind", ["kvm", "qemu"])
def test_size(kind: str) -> None:
    """A domain has its type, its name, its memory in KiB and its processors."""
    root = _parsed(kind=kind)
    assert root.get("type") == kind
    assert root.findtext("name") == "instance-0000000a"
    memory = root.find("memory")
    assert memory is not None and (memory.text, memory.get("unit")) == ("524288", "KiB")
    assert root.findtext("vcpu") == "2"
    assert root.find("features/acpi") is not None


def test_kernel() -> None:
    """A guest with a kernel boots it from the cache, and has its console on ttyS0."""
    os = _parsed().find("os")
    assert os is not None
    assert os.findtext("kernel") == "/instances/_base/aki-1"
    assert os.findtext("initrd") == "/instances/_base/ari-1"
    assert os.findtext("cmdline") == "root=/dev/vda console=ttyS0"
    assert os.find("boot") is None


def test_no_ramdisk() -> None:
    """A kernel alone is enough."""
    os = _parsed(replace(SPEC, ramdisk=None)).find("os")
    assert os is not None and os.find("initrd") is None and os.find("cmdline") is not None


def test_no_kernel() -> None:
    """A guest without a kernel boots from its disk."""
    os = _parsed(replace(SPEC, kernel=None, ramdisk=None)).find("os")
    assert os is not None
    assert [each.tag for each in os] == ["type", "boot"]
    assert os.find("boot[@dev='hd']") is not None


@pytest.mark.parametrize(("cow", "form"), [(True, "qcow2"), (False, "raw")])
def test_disks(cow: bool, form: str) -> None:
    """Disks are virtio, and their format is always said."""
    disks = _parsed(cow=cow).findall("devices/disk")
    found = []
    for each in disks:
        driver, source, target = each.find("driver"), each.find("source"), each.find("target")
        assert driver is not None and source is not None and target is not None
        found.append((driver.get("type"), source.get("file"), target.get("dev")))
        assert target.get("bus") == "virtio"
    assert found == [
        (form, "/instances/instance-0000000a/disk", "vda"),
        ("raw", "/instances/instance-0000000a/disk.local", "vdb"),
    ]


@pytest.mark.parametrize(("cow", "form"), [(True, "qcow2"), (False, "raw")])
def test_rescue(cow: bool, form: str) -> None:
    """In rescue a guest boots the rescue's files, and its root disk alone comes second."""
    files = BootFiles("/instances/_base/ami-r", "/instances/_base/aki-r", None)
    root = fromstring(domain(SPEC, "qemu", cow, files))
    assert root.findtext("os/kernel") == "/instances/_base/aki-r"
    assert root.find("os/initrd") is None
    assert root.findtext("os/cmdline") == "root=/dev/vda console=ttyS0"
    found = []
    for each in root.findall("devices/disk"):
        driver, source, target = each.find("driver"), each.find("source"), each.find("target")
        assert driver is not None and source is not None and target is not None
        found.append((driver.get("type"), source.get("file"), target.get("dev")))
    assert found == [
        (form, "/instances/instance-0000000a/disk.rescue", "vda"),
        (form, "/instances/instance-0000000a/disk", "vdb"),
    ]
    raw = fromstring(domain(SPEC, "qemu", cow, BootFiles("/instances/_base/ami-r", None, None)))
    assert raw.find("os/kernel") is None and raw.find("os/boot[@dev='hd']") is not None


def test_second_disk() -> None:
    """The second disk has the device it was asked for, and a name that stays in the guest."""
    _, second = _parsed(replace(SPEC, local_device="vdd")).findall("devices/disk")
    target = second.find("target")
    assert target is not None and target.get("dev") == "vdd"
    assert second.findtext("serial") == "ephemeral0"


def test_no_second_disk() -> None:
    """A type without local space has one disk."""
    assert len(_parsed(replace(SPEC, local_gb=0)).findall("devices/disk")) == 1


def test_interface() -> None:
    """The network card is virtio, with the row's address, in the network's bridge."""
    [interface] = _parsed().findall("devices/interface")
    assert interface.find("mac[@address='02:16:3e:00:00:01']") is not None
    assert interface.find("source[@bridge='br100']") is not None
    assert interface.find("model[@type='virtio']") is not None


def test_console() -> None:
    """Port 0 is the log, and is appended to; port 1 is a terminal."""
    log, terminal = _parsed().findall("devices/serial")
    source = log.find("source")
    assert source is not None
    assert source.get("path") == "/instances/instance-0000000a/console.log"
    assert source.get("append") == "on"
    assert (log.get("type"), terminal.get("type")) == ("file", "pty")
    assert log.find("target[@port='0']") is not None
    assert terminal.find("target[@port='1']") is not None


def test_ends() -> None:
    """A guest that powers off or crashes is gone; one that restarts stays."""
    root = _parsed()
    assert [root.findtext(f"on_{each}") for each in ("poweroff", "crash", "reboot")] == [
        "destroy",
        "destroy",
        "restart",
    ]


def test_random_numbers() -> None:
    """A guest has a source of random numbers."""
    assert _parsed().findtext("devices/rng[@model='virtio']/backend") == "/dev/urandom"


def test_escaped(tmp_path: Path) -> None:
    """Whatever is in a name stays in it."""
    nasty = "a'<b>\"&</name><evil/>"
    root = _parsed(replace(SPEC, name=nasty, directory=f"/{nasty}"))
    assert root.findtext("name") == nasty
    assert root.find("evil") is None
    assert root.find("devices/disk/source[@file]") is not None
