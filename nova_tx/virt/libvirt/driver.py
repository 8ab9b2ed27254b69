"""
Guests under libvirt.                                                  [spec/07 sections 4 to 9]

Domains are transient, as Bexar's: libvirt forgets one that has ended, so there
is nothing to undefine and never a second truth beside the instance's row.  They
outlive this daemon and libvirtd; after the host itself went down the rows say
C{shutdown}, and a start or a reboot starts the guest again from its disks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from zope.interface import implementer

from nova_tx.errors import HypervisorAway, NovaError, ProcessFailed, StartupError, VirtError
from nova_tx.flags import LibvirtFlags
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.process import IRunner
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver
from nova_tx.virt.libvirt import domains
from nova_tx.virt.libvirt.disks import Disks
from nova_tx.virt.libvirt.domain_xml import DISK, domain
from nova_tx.virt.libvirt.template import DomainTemplate
from nova_tx.virt.libvirt.thread import LibvirtThread

_log = Logger()

#: Seconds until a guest that was started must run.
START_LIMIT = 120.0
#: Seconds until a guest that was ended must be gone.
END_LIMIT = 60.0
#: Where C{libvirt_type} has its hypervisor.
URIS = {"kvm": "qemu:///system", "qemu": "qemu:///system"}
#: States of a guest that does not run yet.
_STARTING = (Power.NOSTATE, Power.PAUSED)


@implementer(IVirtDriver)
class LibvirtDriver:
    """A hypervisor that libvirt speaks to."""

    names = ("libvirt", "nova.virt.libvirt_conn.get_connection")

    def __init__(self, reactor: Any, runner: IRunner, flags: LibvirtFlags) -> None:
        """
        @raise StartupError: C{libvirt_type} is none of ours, or C{libvirt_xml_template} is no
            template.
        """
        if flags.libvirt_type not in URIS:
            kinds = " or ".join(URIS)
            raise StartupError(f"--libvirt_type is {kinds}, not {flags.libvirt_type!r}")
        self._clock: IReactorTime = reactor
        self._kind = flags.libvirt_type
        self._cow = flags.use_cow_images
        path = flags.libvirt_xml_template
        self._template = DomainTemplate(path) if path else None
        self._grace = flags.reboot_grace_seconds
        self._disks = Disks(runner, flags.use_cow_images)
        uri = flags.libvirt_uri or URIS[flags.libvirt_type]
        self._thread = LibvirtThread(reactor, uri, self._seen, self._wake)
        self._watchers: list[Callable[[str, Power], None]] = []
        self._waiting: list[Deferred[None]] = []

    async def open(self) -> None:
        """
        Connect.

        @raise StartupError: libvirt-python is not installed.
        @raise VirtError: libvirt can't be reached.
        """
        await self._thread.open()

    async def close(self) -> None:
        """Disconnect. Guests run on."""
        await self._thread.close()

    def watch(self, seen: Callable[[str, Power], None]) -> None:
        """Tell C{seen} of libvirt's lifecycle events."""
        self._watchers.append(seen)

    async def guests(self) -> Mapping[str, Power]:
        """
        Every domain.

        @raise VirtError: libvirt does not answer.
        """
        return await self._thread.run(domains.guests)

    async def spawn(self, spec: GuestSpec) -> None:
        """
        Make the disks, create the domain, wait until it runs.

        @raise VirtError: it could not be started; nothing of it is left.
        """
        if await self._thread.run(domains.power, spec.name) == Power.RUNNING:
            return
        try:
            await self._end(spec.name)
            await self._disks.prepare(spec)
            await self._start(spec)
        except Exception as error:
            await self._undo(spec)
            if isinstance(error, VirtError | CancelledError):
                raise
            raise VirtError(f"{spec.name} could not be started: {error}") from error

    async def reboot(self, spec: GuestSpec) -> None:
        """
        Ask the guest to shut itself down, cut its power if it does not, start it again.

        @raise VirtError: it has no disks here, or could not be started again.
        """
        _check(spec.name, spec.directory)
        await self.stop(spec.name)
        await self.start(spec)

    async def start(self, spec: GuestSpec) -> None:
        """
        Start the guest from its disks.

        @raise VirtError: it has none here, or could not be started.
        """
        if await self._thread.run(domains.power, spec.name) == Power.RUNNING:
            return
        _check(spec.name, spec.directory)
        await self._end(spec.name)
        try:
            await self._disks.end_rescue(spec)
        except OSError as error:
            raise VirtError(f"{spec.name} could not be started: {error}") from error
        await self._start(spec)

    async def stop(self, name: str, force: bool = False) -> None:
        """
        Press the guest's power button, cut its power if it does not shut itself down.

        @raise VirtError: it would not end.
        """
        if not force:
            await self._ask(name)
        await self._end(name)

    async def rescue(self, spec: GuestSpec, files: BootFiles) -> None:
        """
        Make a disk of the rescue image, start the guest from that.

        @raise VirtError: it has no disks here, or could not be started so.
        """
        _check(spec.name, spec.directory)
        await self.stop(spec.name)
        try:
            await self._disks.prepare_rescue(spec, files)
            await self._start(spec, files)
        except Exception as error:
            if isinstance(error, CancelledError | HypervisorAway):
                raise
            await self._end(spec.name)
            raise VirtError(f"{spec.name} could not be rescued: {error}") from error

    async def unrescue(self, spec: GuestSpec) -> None:
        """
        End what was booted from the rescue image, start the guest from its own disks.

        @raise VirtError: as L{reboot}.
        """
        await self.reboot(spec)

    async def snapshot(self, name: str, directory: str, path: str) -> None:
        """
        Copy the root disk, with the guest paused if it runs.

        @raise VirtError: it has none here, or the copy failed.
        """
        _check(name, directory)
        try:
            if not os.path.exists(path):
                await self._thread.run(domains.suspend, name)
                await self._disks.copy_root(directory, path)
        except (ProcessFailed, OSError) as error:
            raise VirtError(f"the disk of {name} can't be copied: {error}") from error
        finally:
            await self._thread.run(domains.resume, name)

    async def discard(self, name: str, path: str) -> None:
        """Remove a copy of a disk; let the guest go on, if it was paused for it."""
        await self._thread.run(domains.resume, name)
        await self._disks.remove_copy(path)

    async def destroy(self, name: str, directory: str) -> None:
        """
        End the domain, remove the directory.

        @raise VirtError: the guest would not end.
        """
        await self._end(name)
        await self._disks.remove(directory)

    async def console_output(self, name: str, directory: str) -> bytes:
        """
        The end of the console log.

        @raise VirtError: it can't be read.
        """
        try:
            return await self._disks.console(directory)
        except NovaError as error:
            raise VirtError(f"the console of {name} can't be read: {error}") from error

    async def _start(self, spec: GuestSpec, rescue: BootFiles | None = None) -> None:
        xml = domain(spec, self._kind, self._cow, rescue)
        if self._template is not None:
            xml = self._template.fill(xml)
        name = "libvirt.xml.rescue" if rescue else "libvirt.xml"
        await deferToThread(_write, os.path.join(spec.directory, name), xml)
        await self._thread.run(domains.create, xml)
        # one that is gone by now has run, and switched itself off at once
        await self._until(spec.name, lambda power: power not in _STARTING, START_LIMIT)

    async def _ask(self, name: str) -> None:
        """Let the guest write its disks: press its power button, wait a while."""
        if not self._grace:
            return
        await self._thread.run(domains.shutdown, name)
        try:
            await self._until(name, lambda power: power is None, self._grace)
        except VirtError:
            _log.info("{name} did not shut itself down", name=name)

    async def _end(self, name: str) -> None:
        await self._thread.run(domains.destroy, name)
        await self._until(name, lambda power: power is None, END_LIMIT)

    async def _undo(self, spec: GuestSpec) -> None:
        try:
            await self.destroy(spec.name, spec.directory)
        except (VirtError, OSError) as error:
            _log.warn("{name} is not wholly removed: {error}", name=spec.name, error=error)

    async def _until(self, name: str, wanted: Callable[[Power | None], bool], limit: float) -> None:
        """
        Look now, and again after each event, until the guest's state is as wanted.

        @raise VirtError: it was not in C{limit} seconds, or nobody could tell.
        """
        latest = self._clock.seconds() + limit
        while True:
            news: Deferred[None] = Deferred()
            self._waiting.append(news)
            try:
                if await self._is(name, wanted):
                    return
                await news.addTimeout(max(0.0, latest - self._clock.seconds()), self._clock)
            except TimeoutError:
                raise VirtError(f"{name} did not change in {limit:.0f} s") from None
            finally:
                if news in self._waiting:
                    self._waiting.remove(news)

    async def _is(self, name: str, wanted: Callable[[Power | None], bool]) -> bool:
        try:
            return wanted(await self._thread.run(domains.power, name))
        except VirtError:
            return False  # the connection is lost; its return is news

    def _seen(self, name: str, power: Power) -> None:
        self._wake()
        for seen in tuple(self._watchers):
            seen(name, power)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


def _check(name: str, directory: str) -> None:
    if not os.path.exists(os.path.join(directory, DISK)):
        raise VirtError(f"{name} has no disks to start from")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
