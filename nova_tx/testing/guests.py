"""Things of a compute host, made up for tests."""

from __future__ import annotations

from pathlib import Path

from nova_tx.model import GuestSpec, Nic

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


def guest_spec(
    directory: Path, name: str, nics: tuple[Nic, ...] = (), image_bytes: int = 64 * 1024
) -> GuestSpec:
    """A small guest without a kernel; its image is made, of zeros."""
    image = directory / "_base" / "ami-tiny"
    image.parent.mkdir(exist_ok=True)
    if not image.exists():
        image.write_bytes(bytes(image_bytes))
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
