"""
What libvirt is told of a guest.                                       [spec/07 section 8]

Unlike Bexar's: disks and network card are virtio (today's cloud kernels have
nothing else), and serial port 0, the one with the console, is the log, since
libvirt now goes by the ports' numbers and not by their order.
"""

from __future__ import annotations

import os
from xml.etree.ElementTree import Element, SubElement, tostring

from nova_tx.block_devices import EPHEMERAL
from nova_tx.model.guests import BootFiles, GuestSpec

#: Files in a guest's directory.
DISK = "disk"
LOCAL_DISK = "disk.local"
RESCUE_DISK = "disk.rescue"
CONSOLE = "console.log"


def domain(spec: GuestSpec, kind: str, cow: bool, rescue: BootFiles | None = None) -> str:
    """
    The description of a domain.

    @param kind: the domain's type: C{kvm} or C{qemu}.
    @param cow: whether root disks are qcow2 over the shared image.
    @param rescue: it boots from this image's disk, with its root disk as the second
        and no other; unlike Bexar's with a command line, without which kernels find no disk.
    """
    root = Element("domain", type=kind)
    _text(root, "name", spec.name)
    _text(root, "memory", str(spec.memory_mb * 1024), unit="KiB")
    _text(root, "vcpu", str(spec.vcpus))
    _boot(SubElement(root, "os"), rescue or spec)
    SubElement(SubElement(root, "features"), "acpi")
    SubElement(root, "clock", offset="utc")
    # a guest that ends is gone from libvirt, whatever ended it: the row remembers
    _text(root, "on_poweroff", "destroy")
    _text(root, "on_reboot", "restart")
    _text(root, "on_crash", "destroy")
    devices = SubElement(root, "devices")
    form = "qcow2" if cow else "raw"
    names = (RESCUE_DISK, DISK) if rescue else (DISK,)
    for letter, name in zip("ab", names, strict=False):
        _disk(devices, os.path.join(spec.directory, name), form, f"vd{letter}")
    if spec.local_gb and rescue is None:
        path = os.path.join(spec.directory, LOCAL_DISK)
        # a guest counts its disks itself: this one has a name there that stays
        _text(_disk(devices, path, "raw", spec.local_device), "serial", EPHEMERAL)
    for nic in spec.nics:
        interface = SubElement(devices, "interface", type="bridge")
        SubElement(interface, "mac", address=nic.mac)
        SubElement(interface, "source", bridge=nic.bridge)
        SubElement(interface, "model", type="virtio")
    _serial_ports(devices, spec)
    _text(SubElement(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    return tostring(root, encoding="unicode")


def _boot(parent: Element, files: GuestSpec | BootFiles) -> None:
    _text(parent, "type", "hvm")
    if files.kernel is None:
        SubElement(parent, "boot", dev="hd")
        return
    _text(parent, "kernel", files.kernel)
    if files.ramdisk is not None:
        _text(parent, "initrd", files.ramdisk)
    _text(parent, "cmdline", "root=/dev/vda console=ttyS0")


def _disk(devices: Element, path: str, form: str, target: str) -> Element:
    disk = SubElement(devices, "disk", type="file", device="disk")
    # the format is always said: a guest may write any header into a raw disk  [spec/15 A15]
    SubElement(disk, "driver", name="qemu", type=form)
    SubElement(disk, "source", file=path)
    SubElement(disk, "target", dev=target, bus="virtio")
    return disk


def _serial_ports(devices: Element, spec: GuestSpec) -> None:
    log = SubElement(devices, "serial", type="file")
    # appended to: a reboot keeps what the guest said before
    SubElement(log, "source", path=os.path.join(spec.directory, CONSOLE), append="on")
    SubElement(log, "target", port="0")
    SubElement(SubElement(devices, "serial", type="pty"), "target", port="1")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text
