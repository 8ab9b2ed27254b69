"""
Guests under libvirt.                                                  [spec/07 sections 4 to 9]

Domains are transient, as Bexar's: libvirt forgets one that has ended, so there
is nothing to undefine and never a second truth beside the instance's row.  They
outlive this daemon and libvirtd; after the host itself went down the rows say
C{shutdown}, and a reboot starts the guest again from its disks.
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

from nova_tx.errors import NovaError, StartupError, VirtError
from nova_tx.flags import LibvirtFlags
from nova_tx.model import GuestSpec
from nova_tx.process import IRunner
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver
from nova_tx.virt.libvirt.disks import Disks
from nova_tx.virt.libvirt.domain_xml import DISK, domain
from nova_tx.virt.libvirt.events import library
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

    names = ("libvirt",)

    def __init__(self, reactor: Any, runner: IRunner, flags: LibvirtFlags) -> None:
        """
        @raise StartupError: C{libvirt_type} is none of ours.
        """
        if flags.libvirt_type not in URIS:
            kinds = " or ".join(URIS)
            raise StartupError(f"--libvirt_type is {kinds}, not {flags.libvirt_type!r}")
        self._clock: IReactorTime = reactor
        self._kind = flags.libvirt_type
        self._cow = flags.use_cow_images
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
        return await self._thread.run(_guests)

    async def spawn(self, spec: GuestSpec) -> None:
        """
        Make the disks, create the domain, wait until it runs.

        @raise VirtError: it could not be started; nothing of it is left.
        """
        if await self._thread.run(_power, spec.name) == Power.RUNNING:
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
        if not os.path.exists(os.path.join(spec.directory, DISK)):
            raise VirtError(f"{spec.name} has no disks to start from")
        await self._ask(spec.name)
        await self._end(spec.name)
        await self._start(spec)

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

    async def _start(self, spec: GuestSpec) -> None:
        xml = domain(spec, self._kind, self._cow)
        await deferToThread(_write, os.path.join(spec.directory, "libvirt.xml"), xml)
        await self._thread.run(_create, xml)
        # one that is gone by now has run, and switched itself off at once
        await self._until(spec.name, lambda power: power not in _STARTING, START_LIMIT)

    async def _ask(self, name: str) -> None:
        """Let the guest write its disks: press its power button, wait a while."""
        if not self._grace:
            return
        await self._thread.run(_shutdown, name)
        try:
            await self._until(name, lambda power: power is None, self._grace)
        except VirtError:
            _log.info("{name} did not shut itself down", name=name)

    async def _end(self, name: str) -> None:
        await self._thread.run(_destroy, name)
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
            return wanted(await self._thread.run(_power, name))
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


# In libvirt's thread.


def _guests(conn: Any) -> dict[str, Power]:
    found = {}
    for each in conn.listAllDomains():
        power = _state(each)
        if power is not None:
            found[each.name()] = power
    return found


def _lookup(conn: Any, name: str) -> Any:
    libvirt = library()
    try:
        return conn.lookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _state(found: Any) -> Power | None:
    libvirt = library()
    try:
        return Power(found.state()[0])
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return None
        raise


def _power(conn: Any, name: str) -> Power | None:
    found = _lookup(conn, name)
    return None if found is None else _state(found)


def _create(conn: Any, xml: str) -> None:
    conn.createXML(xml, 0)


def _shutdown(conn: Any, name: str) -> None:
    """Press the power button."""
    found = _lookup(conn, name)
    try:
        if found is not None:
            found.shutdown()
    except library().libvirtError as error:
        _log.info("{name} can't be asked to shut down: {error}", name=name, error=error)


def _destroy(conn: Any, name: str) -> None:
    """Ask for the end of a domain; whether it came is seen by its state."""
    libvirt = library()
    found = _lookup(conn, name)
    if found is None:
        return
    gone = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
    for step in (found.destroy, found.undefine) if found.isPersistent() else (found.destroy,):
        try:
            step()
        except libvirt.libvirtError as error:
            if not conn.isAlive():
                raise
            if error.get_error_code() not in gone:
                _log.warn("can't end {name}: {error}", name=name, error=error)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
