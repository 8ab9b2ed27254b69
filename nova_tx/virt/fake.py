"""
Guests that are files: a hypervisor for tests, and for clouds without one.     [spec/07 section 12]

A guest is C{guest.json} in its directory, so it outlives the daemon as real ones do;
its disk is the first 64 KiB of its image.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping

from twisted.logger import Logger
from zope.interface import implementer

from nova_tx.errors import VirtError
from nova_tx.flags import ComputeFlags
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver

_log = Logger()

_FILE = "guest.json"
#: Files in a guest's directory.
DISK, RESCUE_DISK = "disk", "disk.rescue"
#: Bytes of its image that are a guest's disk.
DISK_BYTES = 2**16
#: End of the name of a copy that is not whole.
PART = "+part"


@implementer(IVirtDriver)
class FakeDriver:
    """A hypervisor whose guests run at once and do nothing."""

    names = ("fake", "nova.virt.fake.get_connection")

    def __init__(self, flags: ComputeFlags) -> None:
        self._path = flags.instances_path
        self._watchers: list[Callable[[str, Power], None]] = []

    async def open(self) -> None:
        """Nothing to reach."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def watch(self, seen: Callable[[str, Power], None]) -> None:
        """Tell C{seen} of every change that is made through this object."""
        self._watchers.append(seen)

    async def spawn(self, spec: GuestSpec) -> None:
        """
        Write the guest's disk, which is the beginning of its image, and its file.

        @raise VirtError: one of its images is not there.
        """
        if self._runs(spec.name):
            return
        _check(spec.name, spec.image, spec.kernel, spec.ramdisk)
        os.makedirs(spec.directory, exist_ok=True)
        _begin_disk(spec.image, os.path.join(spec.directory, DISK))
        self._set(spec.name, spec.directory, Power.RUNNING)

    async def reboot(self, spec: GuestSpec) -> None:
        """
        Switch the guest off and on.

        @raise VirtError: it was never started here.
        """
        _known(spec.name, spec.directory)
        self._cut(spec.name)
        await self.start(spec)

    async def start(self, spec: GuestSpec) -> None:
        """
        Switch the guest on.

        @raise VirtError: it was never started here.
        """
        _known(spec.name, spec.directory)
        if not self._runs(spec.name):
            _unlink(os.path.join(spec.directory, RESCUE_DISK))
            self._set(spec.name, spec.directory, Power.RUNNING)

    async def stop(self, name: str, force: bool = False) -> None:
        """Switch the guest off."""
        self._cut(name)

    async def rescue(self, spec: GuestSpec, files: BootFiles) -> None:
        """
        Put another disk beside the guest's own, and switch it off and on.

        @raise VirtError: it was never started here, or a file is not there.
        """
        _known(spec.name, spec.directory)
        _check(spec.name, files.image, files.kernel, files.ramdisk)
        self._cut(spec.name)
        _begin_disk(files.image, os.path.join(spec.directory, RESCUE_DISK))
        self._set(spec.name, spec.directory, Power.RUNNING)

    async def unrescue(self, spec: GuestSpec) -> None:
        """
        Remove that disk, switch the guest off and on.

        @raise VirtError: it was never started here.
        """
        await self.reboot(spec)

    async def snapshot(self, name: str, directory: str, path: str) -> None:
        """
        Copy the guest's disk.

        @raise VirtError: it has none.
        """
        if os.path.exists(path):
            return
        try:
            shutil.copyfile(os.path.join(directory, DISK), path + PART)
        except OSError as error:
            raise VirtError(f"the disk of {name} can't be copied: {error}") from error
        os.replace(path + PART, path)

    async def discard(self, name: str, path: str) -> None:
        """Remove a copy of a disk."""
        for each in (path, path + PART):
            _unlink(each)

    async def destroy(self, name: str, directory: str) -> None:
        """End the guest and remove its directory."""
        self._cut(name)
        shutil.rmtree(directory, ignore_errors=True)

    async def guests(self) -> Mapping[str, Power]:
        """Every guest that has a file."""
        found = {}
        for name in os.listdir(self._path) if os.path.isdir(self._path) else ():
            try:
                with open(os.path.join(self._path, name, _FILE), encoding="utf-8") as file:
                    found[name] = Power(json.load(file)["power"])
            except (FileNotFoundError, NotADirectoryError):
                pass
        return found

    async def console_output(self, name: str, directory: str) -> bytes:
        """What every guest of this kind says; nothing if it was never started."""
        started = os.path.isfile(os.path.join(directory, _FILE))
        return b"FAKE CONSOLE OUTPUT" if started else b""

    def switch_off(self, name: str) -> None:
        """What a guest does that switches itself off; one that does not run: nothing."""
        if self._runs(name):
            self._tell(name, Power.SHUTDOWN)
            self._cut(name)

    def _cut(self, name: str) -> None:
        if self._runs(name):
            self._set(name, os.path.join(self._path, name), Power.SHUTOFF)

    def _runs(self, name: str) -> bool:
        try:
            with open(os.path.join(self._path, name, _FILE), encoding="utf-8") as file:
                return bool(json.load(file)["power"] == Power.RUNNING)
        except FileNotFoundError:
            return False

    def _set(self, name: str, directory: str, power: Power) -> None:
        path = os.path.join(directory, _FILE)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"name": name, "power": int(power)}, file)
        os.replace(path + ".new", path)
        _log.info("{name} is {power}", name=name, power=power.name.lower())
        self._tell(name, power)

    def _tell(self, name: str, power: Power) -> None:
        for seen in tuple(self._watchers):
            seen(name, power)


def _known(name: str, directory: str) -> None:
    if not os.path.isfile(os.path.join(directory, _FILE)):
        raise VirtError(f"{name} has no disks to start from")


def _check(name: str, *files: str | None) -> None:
    for path in files:
        if path is not None and not os.path.isfile(path):
            raise VirtError(f"{name} has no image file {path}")


def _begin_disk(image: str, disk: str) -> None:
    with open(image, "rb") as source, open(disk, "wb") as target:
        target.write(source.read(DISK_BYTES))


def _unlink(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
