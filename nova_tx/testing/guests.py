"""Things of a compute host, made up for tests."""

from __future__ import annotations

from pathlib import Path

from nova_tx.model.guests import GuestSpec
from nova_tx.model.networks import Nic

NIC = Nic(
    mac="02:16:3e:00:00:01",
    address="10.0.0.3",
    bridge="br100",
    cidr="10.0.0.0/24",
    netmask="255.255.255.0",
    gateway="10.0.0.1",
    broadcast="10.0.0.255",
    dns="8.8.4.4",
)

#: Of an x86 boot sector: print what follows on the first serial port, then end as told.
_PRINT = bytes.fromhex(
    "fc31c08ed8"  # cld; xor ax, ax; mov ds, ax
    "be237c"  # mov si, where the text is
    "baf803"  # mov dx, 0x3f8
    "ac"  # next: lodsb
    "84c0"  # test al, al
    "7403"  # jz done
    "ee"  # out dx, al
    "ebf8"  # jmp next
)
_POWER_OFF = bytes.fromhex("ba0406b80020ef")  # done: ACPI's S5 on QEMU's machine "pc"
_HALT = bytes.fromhex("f4ebfd")


def boot_sector(text: str, power_off: bool = False) -> bytes:
    """
    A whole operating system for QEMU's PC: it says something and halts, or switches itself off.
    """
    code = (_PRINT + (_POWER_OFF if power_off else b"") + _HALT).ljust(0x23, b"\x90")
    return (code + text.encode() + b"\0").ljust(510, b"\0") + b"\x55\xaa"


def guest_spec(
    directory: Path, name: str, nics: tuple[Nic, ...] = (), content: bytes = b""
) -> GuestSpec:
    """A small guest without a kernel; its image is made, of C{content} and zeros."""
    image = directory / "_base" / "ami-tiny"
    image.parent.mkdir(exist_ok=True)
    if not image.exists():
        image.write_bytes(content.ljust(2**20, b"\0"))
    return GuestSpec(
        name=name,
        directory=str(directory / name),
        image=str(image),
        kernel=None,
        ramdisk=None,
        memory_mb=64,
        vcpus=1,
        root_bytes=0,
        local_gb=0,
        nics=nics,
    )
