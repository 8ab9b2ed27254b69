"""The libvirt driver on a real libvirtd and QEMU, all of them the test's own."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from nova_tx.flags import LibvirtFlags
from nova_tx.local import processes
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.model import GuestSpec
from nova_tx.process import Runner
from nova_tx.states import Power
from nova_tx.testing.conformance.virt import Seen, make_virt_tests
from nova_tx.testing.guests import guest_spec
from nova_tx.virt.libvirt.driver import LibvirtDriver

#: The libvirtd of this module's tests.
DAEMON: list[PrivateLibvirtd] = []


@pytest.fixture(scope="module", autouse=True)
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A libvirtd of our own, ended with its guests."""
    directory = Path(tempfile.mkdtemp(prefix="nova-virt-"))  # short: there is a socket in it
    daemon = PrivateLibvirtd(directory)
    try:
        daemon.start()
        DAEMON.append(daemon)
        yield daemon
    finally:
        DAEMON.clear()
        daemon.stop()
        shutil.rmtree(directory)


def _driver(cow: bool = True) -> LibvirtDriver:
    flags = LibvirtFlags(libvirt_type="qemu", libvirt_uri=DAEMON[0].uri, use_cow_images=cow)
    return LibvirtDriver(reactor, Runner(reactor), flags)  # type: ignore[arg-type]


def _switch_off(name: str) -> None:
    os.kill(DAEMON[0].guests()[name], signal.SIGTERM)  # as the guest's power button would


class QemuBench:
    """Guests with nothing to boot: they run, in their BIOS."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def driver(self) -> LibvirtDriver:
        return _driver()

    def spec(self, name: str) -> GuestSpec:
        return guest_spec(self._directory, name)

    async def switch_off(self, driver: LibvirtDriver, name: str) -> None:
        seen = Seen(driver)
        _switch_off(name)
        await seen.until(name, Power.SHUTOFF, Power.CRASHED)


class TestQemu(make_virt_tests(QemuBench)):  # type: ignore[misc]
    """The suite of IVirtDriver on QEMU."""
