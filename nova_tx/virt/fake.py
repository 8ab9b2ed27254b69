"""
Guests that are files: a hypervisor for tests, and for clouds without one.     [spec/07 section 12]

A guest is C{guest.json} in its directory, so it outlives the daemon as real ones do.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping

from zope.interface import implementer

from nova_tx.errors import VirtError
from nova_tx.flags import ComputeFlags
from nova_tx.model import GuestSpec
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver

_FILE = "guest.json"


@implementer(IVirtDriver)
class FakeDriver:
    """A hypervisor whose guests run at once and do nothing."""

    names = ("fake",)

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
        Write the guest's file.

        @raise VirtError: one of its images is not there.
        """
        if (await self.guests()).get(spec.name) == Power.RUNNING:
            return
        for path in (spec.image, spec.kernel, spec.ramdisk):
            if path is not None and not os.path.isfile(path):
                raise VirtError(f"{spec.name} has no image file {path}")
        os.makedirs(spec.directory, exist_ok=True)
        self._set(spec.name, spec.directory, Power.RUNNING)

    async def reboot(self, spec: GuestSpec) -> None:
        """
        Switch the guest off and on.

        @raise VirtError: it was never started here.
        """
        if not os.path.isfile(os.path.join(spec.directory, _FILE)):
            raise VirtError(f"{spec.name} has no disks to start from")
        self.switch_off(spec.name)
        self._set(spec.name, spec.directory, Power.RUNNING)

    async def destroy(self, name: str, directory: str) -> None:
        """End the guest and remove its directory."""
        self.switch_off(name)
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
        directory = os.path.join(self._path, name)
        try:
            with open(os.path.join(directory, _FILE), encoding="utf-8") as file:
                running = json.load(file)["power"] == Power.RUNNING
        except FileNotFoundError:
            return
        if running:
            self._set(name, directory, Power.SHUTOFF)

    def _set(self, name: str, directory: str, power: Power) -> None:
        path = os.path.join(directory, _FILE)
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump({"name": name, "power": int(power)}, file)
        os.replace(path + ".new", path)
        for seen in tuple(self._watchers):
            seen(name, power)
