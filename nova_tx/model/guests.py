"""
Facts of guests, as hypervisors are told them.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.model.networks import Nic


@dataclass(frozen=True)
class BootFiles:
    """
    Files on this host that a guest boots from.

    @ivar image: of the root disk (raw), read only, shared by guests.
    @ivar kernel: None for an image that boots by itself.
    @ivar ramdisk: None without one.
    """

    image: str
    kernel: str | None
    ramdisk: str | None


@dataclass(frozen=True)
class GuestSpec:
    """
    All that a virt driver may know of a guest.

    @ivar name: the hypervisor's name for it, C{instance-0000000a}.
    @ivar directory: where its files go; made by the driver, removed by its destroy.
    @ivar image: file of the base root disk (raw), read only, shared by guests.
    @ivar kernel: file of the kernel, or None for an image that boots by itself.
    @ivar ramdisk: file of the ramdisk, or None.
    @ivar root_bytes: size that the root disk is grown to; 0 leaves the image's.
    @ivar local_gb: size of the second, empty disk; 0 for none.
    @ivar local_device: what the second disk is called.
    """

    name: str
    directory: str
    image: str
    kernel: str | None
    ramdisk: str | None
    memory_mb: int
    vcpus: int
    root_bytes: int
    local_gb: int
    nics: tuple[Nic, ...]
    local_device: str = "vdb"
