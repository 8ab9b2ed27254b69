"""
What libvirt is told of a guest.                                       [spec/07 section 8]

Unlike Bexar's: disks and network card are virtio (today's cloud kernels have
nothing else), and serial port 0, the one with the console, is the log, since
libvirt now goes by the ports' numbers and not by their order.
"""

from __future__ import annotations

import os
from xml.etree.ElementTree import Element, SubElement, tostring

from nova_tx.model import GuestSpec

#: Files in a guest's directory.
DISK = "disk"
LOCAL_DISK = "disk.local"
CONSOLE = "console.log"


def domain(spec: GuestSpec, kind: str, cow: bool) -> str:
    """
    The description of a domain.

    @param kind: the domain's type: C{kvm} or C{qemu}.
    @param cow: whether the root disk is qcow2 over the shared image.
    """
    root = Element("domain", type=kind)
    _text(root, "name", spec.name)
    _text(root, "memory", str(spec.memory_mb * 1024), unit="KiB")
    _text(root, "vcpu", str(spec.vcpus))
    _boot(SubElement(root, "os"), spec)
    SubElement(SubElement(root, "features"), "acpi")
    SubElement(root, "clock", offset="utc")
    # a guest that ends is gone from libvirt, whatever ended it: the row remembers
    _text(root, "on_poweroff", "destroy")
    _text(root, "on_reboot", "restart")
    _text(root, "on_crash", "destroy")
    devices = SubElement(root, "devices")
    _disk(devices, os.path.join(spec.directory, DISK), "qcow2" if cow else "raw", "vda")
    if spec.local_gb:
        _disk(devices, os.path.join(spec.directory, LOCAL_DISK), "raw", "vdb")
    for nic in spec.nics:
        interface = SubElement(devices, "interface", type="bridge")
        SubElement(interface, "mac", address=nic.mac)
        SubElement(interface, "source", bridge=nic.bridge)
        SubElement(interface, "model", type="virtio")
    _serial_ports(devices, spec)
    _text(SubElement(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    return tostring(root, encoding="unicode")


def _boot(parent: Element, spec: GuestSpec) -> None:
    _text(parent, "type", "hvm")
    if spec.kernel is None:
        SubElement(parent, "boot", dev="hd")
        return
    _text(parent, "kernel", spec.kernel)
    if spec.ramdisk is not None:
        _text(parent, "initrd", spec.ramdisk)
    _text(parent, "cmdline", "root=/dev/vda console=ttyS0")


def _disk(devices: Element, path: str, form: str, target: str) -> None:
    disk = SubElement(devices, "disk", type="file", device="disk")
    # the format is always said: a guest may write any header into a raw disk  [spec/15 A15]
    SubElement(disk, "driver", name="qemu", type=form)
    SubElement(disk, "source", file=path)
    SubElement(disk, "target", dev=target, bus="virtio")


def _serial_ports(devices: Element, spec: GuestSpec) -> None:
    log = SubElement(devices, "serial", type="file")
    # appended to: a reboot keeps what the guest said before
    SubElement(log, "source", path=os.path.join(spec.directory, CONSOLE), append="on")
    SubElement(log, "target", port="0")
    SubElement(SubElement(devices, "serial", type="pty"), "target", port="1")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> None:
    SubElement(parent, tag, attributes).text = text
