"""
A hypervisor as the compute worker sees it.                            [spec/07]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from zope.interface import Attribute, Interface

from nova_tx.model import GuestSpec
from nova_tx.states import Power


class IVirtDriver(Interface):
    """
    Starts and ends guests on this host.

    Guests outlive the driver: one that is closed and opened again finds them.
    Every method may be repeated after a crash in the middle of it, and after
    L{HypervisorAway}, a L{VirtError} that each may raise.
    """

    names = Attribute("What flag connection_type calls it.")

    def open() -> Awaitable[None]:
        """
        Reach the hypervisor; later losses are repaired by the driver itself.

        @raise VirtError: it can't be reached.
        """

    def close() -> Awaitable[None]:
        """Let go of the hypervisor. Guests run on."""

    def watch(seen: Callable[[str, Power], None]) -> None:
        """
        From now on call C{seen(name, power)} on the reactor when a guest
        changes by itself or by ours: started, switched off, crashed.
        """

    def spawn(spec: GuestSpec) -> Awaitable[None]:
        """
        Make the guest's disks and start it; done when it is running.

        Left-overs of an earlier attempt are replaced; a guest of that name
        that already runs is left alone.

        @raise VirtError: it could not be started; nothing of it is left.
        """

    def reboot(spec: GuestSpec) -> Awaitable[None]:
        """
        Switch the guest off and on; disks, addresses and the console log stay.

        A guest that is not running is started.

        @raise VirtError: it could not be started again.
        """

    def destroy(name: str, directory: str) -> Awaitable[None]:
        """
        End the guest and remove its directory; no guest, no directory: nothing to do.

        @raise VirtError: the guest would not end.
        """

    def guests() -> Awaitable[Mapping[str, Power]]:
        """
        Every guest the hypervisor has, ours or not, by name.

        @raise VirtError: the hypervisor does not answer.
        """

    def console_output(name: str, directory: str) -> Awaitable[bytes]:
        """
        The last 64 KiB that the guest wrote to its console; empty if none yet.
        """
