"""A look at libvirt, by who wants nothing else of it. Blocks."""

from __future__ import annotations

from nova_tx.errors import HypervisorAway
from nova_tx.virt.libvirt.driver import URIS
from nova_tx.virt.libvirt.events import library

__all__ = ("URIS", "version")


def version(uri: str) -> str:
    """
    What runs guests there, with its version.

    @raise StartupError: libvirt-python is not installed.
    @raise HypervisorAway: libvirt can't be reached.
    """
    libvirt = library()
    try:
        connection = libvirt.openReadOnly(uri)
        try:
            number = connection.getVersion()
            kind = connection.getType()
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        raise HypervisorAway(f"libvirt at {uri} can't be reached: {error}") from None
    return f"{kind} {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
