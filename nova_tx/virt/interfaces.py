"""
A hypervisor as the compute worker sees it.                            [spec/07]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from zope.interface import Attribute, Interface

from nova_tx.model.guests import BootFiles, GuestSpec
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

        C{Power.SHUTDOWN} is told of a guest that switches itself off, before
        C{SHUTOFF}; of one whose power is cut from outside it is not.
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

    def start(spec: GuestSpec) -> Awaitable[None]:
        """
        Switch a guest on that is off, from the disks that it has; one that runs is left alone.

        @raise VirtError: it has no disks here, or could not be started.
        """

    def stop(name: str, force: bool = False) -> Awaitable[None]:
        """
        Switch a guest off; its disks stay. No guest: nothing to do.

        Unless C{force} is set it is asked to shut itself down, and its power
        is cut only if it does not.

        @raise VirtError: the guest would not end.
        """

    def rescue(spec: GuestSpec, files: BootFiles) -> Awaitable[None]:
        """
        Switch the guest off, and start it from a disk of its own that is made
        of C{files}, with its root disk as the second.

        Done again, it begins with a new disk.

        @raise VirtError: it has no disks here, or could not be started so; it
            is as it was, or off.
        """

    def unrescue(spec: GuestSpec) -> Awaitable[None]:
        """
        Switch the guest off, remove what L{rescue} made, start it from its own disks.

        @raise VirtError: it has no disks here, or could not be started.
        """

    def snapshot(name: str, directory: str, path: str) -> Awaitable[None]:
        """
        Copy a guest's root disk to a raw file that needs no other; it is at
        C{path} whole or not at all, and one that is there is left alone.

        A guest that runs is paused meanwhile, and runs on afterwards.

        @raise VirtError: it has no disks here, or there is no room.
        """

    def discard(name: str, path: str) -> Awaitable[None]:
        """
        Remove what L{snapshot} made, whole or half; a guest that it left
        paused runs on. Nothing there: nothing to do.
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
