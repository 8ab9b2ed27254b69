"""The libvirt driver on a real libvirtd and QEMU, all of them the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from nova_tx.errors import VirtError
from nova_tx.flags import LibvirtFlags
from nova_tx.local import guest_image, processes
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.process import Runner
from nova_tx.states import Power
from nova_tx.testing.conformance.virt import Seen, make_virt_tests
from nova_tx.testing.guests import NIC, boot_sector, guest_spec
from nova_tx.virt.libvirt import domains
from nova_tx.virt.libvirt.driver import LibvirtDriver

#: The network namespace of this module's libvirtd, with a bridge in it.
SPACE = f"virt{os.getpid()}"
#: The libvirtd of this module's tests.
DAEMON: list[PrivateLibvirtd] = []


@pytest.fixture(scope="module", autouse=True)
def libvirtd() -> Iterator[PrivateLibvirtd]:
    """A libvirtd of our own, ended with its guests."""
    directory = Path(tempfile.mkdtemp(prefix="nova-virt-"))  # short: there is a socket in it
    daemon = PrivateLibvirtd(directory, ("nsenter", f"--net=/run/netns/{SPACE}"))
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    try:
        _ip("link", "add", "br100", "type", "bridge")
        daemon.start()
        DAEMON.append(daemon)
        yield daemon
    finally:
        DAEMON.clear()
        daemon.stop()
        subprocess.run(["ip", "netns", "delete", SPACE], check=True)
        shutil.rmtree(directory)


def _ip(*argv: str) -> Any:
    """Run ip in the namespace; returns what it says."""
    done = subprocess.run(["ip", "-n", SPACE, "-json", *argv], check=True, capture_output=True)
    return json.loads(done.stdout or b"[]")


def _driver(cow: bool = True, grace: int = 1) -> LibvirtDriver:
    flags = LibvirtFlags(
        libvirt_type="qemu",
        libvirt_uri=DAEMON[0].uri,
        use_cow_images=cow,
        reboot_grace_seconds=grace,
    )
    return LibvirtDriver(reactor, Runner(reactor), flags)  # type: ignore[arg-type]


@asynccontextmanager
async def _running(
    spec: GuestSpec, cow: bool = True, grace: int = 1
) -> AsyncIterator[LibvirtDriver]:
    """A driver with a guest that was spawned, and that is ended afterwards."""
    driver = _driver(cow, grace)
    await driver.open()
    try:
        await driver.spawn(spec)
        yield driver
    finally:
        await driver.destroy(spec.name, spec.directory)
        await driver.close()


def _switch_off(name: str) -> None:
    os.kill(DAEMON[0].guests()[name], signal.SIGTERM)  # as from the host


async def _said(driver: LibvirtDriver, spec: GuestSpec, text: bytes, times: int = 1) -> bytes:
    """The console, once it has C{text} in it so many times."""
    latest = time.monotonic() + 180
    while True:
        found = await driver.console_output(spec.name, spec.directory)
        if found.count(text) >= times:
            return found
        assert time.monotonic() < latest, f"the console says only {found!r}"
        await deferLater(reactor, 0.1)  # type: ignore[arg-type]


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


NAME = "instance-00000001"


async def test_console(tmp_path: Path) -> None:
    """What a guest says is in its console, and still is after a reboot."""
    spec = guest_spec(tmp_path, NAME, content=boot_sector("hello from the guest\r\n"))
    async with _running(spec) as driver:
        assert await _said(driver, spec, b"hello from the guest")
        await driver.reboot(spec)
        assert await _said(driver, spec, b"hello from the guest", 2)


async def test_ended_from_outside(tmp_path: Path) -> None:
    """A guest that is ended by a signal from its host is not said to have done it itself."""
    spec = guest_spec(tmp_path, NAME)
    async with _running(spec) as driver:
        reports: list[Power] = []
        driver.watch(lambda name, power: reports.append(power))
        seen = Seen(driver)
        _switch_off(NAME)
        await seen.until(NAME, Power.SHUTOFF, Power.CRASHED)
        assert Power.SHUTDOWN not in reports


@pytest.mark.parametrize("cow", [True, False])
async def test_rescue_boots_another_disk(tmp_path: Path, cow: bool) -> None:
    """A rescued guest boots the rescue image, its own disk is the second, and it gets it back."""
    spec = guest_spec(tmp_path, NAME, content=boot_sector("its own disk\r\n"))
    image = tmp_path / "_base" / "ami-rescue"
    image.write_bytes(boot_sector("the rescue\r\n").ljust(2**20, b"\0"))
    async with _running(spec, cow) as driver:
        await _said(driver, spec, b"its own disk")
        await driver.rescue(spec, BootFiles(str(image), None, None))
        await _said(driver, spec, b"the rescue")
        text = await driver._thread.run(lambda conn: conn.lookupByName(NAME).XMLDesc())
        targets = {
            target.get("dev"): source.get("file")
            for disk in fromstring(text).iter("disk")
            if (target := disk.find("target")) is not None
            and (source := disk.find("source")) is not None
        }
        assert targets == {"vda": f"{spec.directory}/disk.rescue", "vdb": f"{spec.directory}/disk"}
        await driver.unrescue(spec)
        assert b"the rescue" in await _said(driver, spec, b"its own disk", 2)


async def test_paused_by_a_crash(tmp_path: Path) -> None:
    """A guest that was left paused in the middle of a copy runs on when the copy is made again."""
    spec, copy = guest_spec(tmp_path, NAME), str(tmp_path / "copy")
    async with _running(spec) as driver:
        for done in (driver.snapshot(NAME, spec.directory, copy), driver.discard(NAME, copy)):
            await driver._thread.run(domains.suspend, NAME)
            assert (await driver.guests())[NAME] == Power.PAUSED
            await done
            assert (await driver.guests())[NAME] == Power.RUNNING


async def test_console_end(tmp_path: Path) -> None:
    """Of a long console the last 64 KiB are shown."""
    spec = guest_spec(tmp_path, NAME)
    async with _running(spec) as driver:
        with open(os.path.join(spec.directory, "console.log"), "ab") as log:
            log.write(b"a" * 100_000 + b"the end")
        found = await driver.console_output(spec.name, spec.directory)
        assert len(found) == 65536 and found.endswith(b"the end")


async def test_powers_off(tmp_path: Path) -> None:
    """A guest that switches itself off is gone from the hypervisor, and both is told."""
    spec = guest_spec(tmp_path, NAME, content=boot_sector("bye\r\n", power_off=True))
    driver = _driver()
    await driver.open()
    seen = Seen(driver)
    try:
        await driver.spawn(spec)
        await seen.until(NAME, Power.SHUTDOWN)
        await seen.until(NAME, Power.SHUTOFF)
        assert NAME not in await driver.guests()
        assert b"bye" in await driver.console_output(NAME, spec.directory)
    finally:
        await driver.destroy(NAME, spec.directory)
        await driver.close()


def _filesystem(path: Path, size: str) -> None:
    path.parent.mkdir(exist_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext3", path, size], check=True)


def _described(disk: str) -> Any:
    """What qemu-img says of a disk that a guest may hold."""
    argv = ["qemu-img", "info", "--force-share", "--output=json", disk]
    return json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)


async def test_grown_disk(tmp_path: Path) -> None:
    """The root disk is an overlay of a grown file system; the second disk is sparse."""
    spec = replace(guest_spec(tmp_path, NAME), root_bytes=64 * 2**20, local_gb=1)
    _filesystem(Path(spec.image), "8M")
    async with _running(spec):
        disk = _described(os.path.join(spec.directory, "disk"))
        assert disk["virtual-size"] == 64 * 2**20
        assert disk["cluster-size"] == 2 * 2**20
        assert disk["backing-filename"] == f"{spec.image}+{64 * 2**20}"
        assert disk["backing-filename-format"] == "raw"
        local = _described(os.path.join(spec.directory, "disk.local"))
        assert (local["format"], local["virtual-size"]) == ("raw", 2**30)
        dump = subprocess.run(["dumpe2fs", "-h", disk["backing-filename"]], capture_output=True)
        fields = dict(
            line.split(":", 1) for line in dump.stdout.decode().splitlines() if ":" in line
        )
        assert int(fields["Block count"]) * int(fields["Block size"]) == 64 * 2**20
    assert sorted(os.listdir(tmp_path / "_base")) == ["ami-tiny", f"ami-tiny+{64 * 2**20}"]


async def test_partitioned_disk(tmp_path: Path) -> None:
    """A disk that boots by itself is made longer, and still boots."""
    content = boot_sector("booted\r\n")
    spec = replace(guest_spec(tmp_path, NAME, content=content), root_bytes=2**21)
    async with _running(spec) as driver:
        assert _described(os.path.join(spec.directory, "disk"))["virtual-size"] == 2**21
        assert await _said(driver, spec, b"booted")


async def test_copied_disk(tmp_path: Path) -> None:
    """Without overlays the root disk is a raw copy, and boots as well."""
    spec = guest_spec(tmp_path, NAME, content=boot_sector("copied\r\n"))
    async with _running(spec, cow=False) as driver:
        assert Path(spec.directory, "disk").read_bytes() == Path(spec.image).read_bytes()
        assert await _said(driver, spec, b"copied")


async def test_no_foreign_backing(tmp_path: Path) -> None:
    """An image that pretends to be an overlay of a host's file is only bytes."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"host's".ljust(2**20, b"\0"))
    spec = guest_spec(tmp_path, NAME)
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", secret, spec.image]
    subprocess.run(argv, check=True)
    async with _running(spec):
        chain = ["qemu-img", "info", "--force-share", "--backing-chain", "--output=json"]
        done = subprocess.run([*chain, f"{spec.directory}/disk"], check=True, capture_output=True)
        assert [each["filename"] for each in json.loads(done.stdout)] == [
            f"{spec.directory}/disk",
            spec.image,
        ]


async def test_bridge(tmp_path: Path) -> None:
    """A guest's network card is in its network's bridge while it runs."""
    spec = guest_spec(tmp_path, NAME, (NIC,))
    async with _running(spec):
        [port] = _ip("link", "show", "master", "br100")
        assert port["address"].endswith(NIC.mac[2:])
    assert _ip("link", "show", "master", "br100") in ([], [{}])


async def test_no_bridge(tmp_path: Path) -> None:
    """Without its bridge a guest is not started, and nothing of it is left."""
    spec = guest_spec(tmp_path, NAME, (replace(NIC, bridge="br999"),))
    driver = _driver()
    await driver.open()
    try:
        with pytest.raises(VirtError, match="br999"):
            await driver.spawn(spec)
        assert NAME not in await driver.guests()
        assert not os.path.exists(spec.directory)
    finally:
        await driver.close()


async def test_libvirtd_killed(tmp_path: Path) -> None:
    """Guests live through the death of libvirtd; the driver comes back to it by itself."""
    spec = guest_spec(tmp_path, NAME)
    async with _running(spec) as driver:
        daemon, pid = DAEMON[0], DAEMON[0].guests()[NAME]
        running = processes.running(daemon.record)
        assert running is not None
        os.kill(running, signal.SIGKILL)
        while processes.running(daemon.record) is not None:
            await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        with pytest.raises(VirtError):
            await driver.guests()
        await deferToThread(daemon.start)
        assert (await driver.guests())[NAME] == Power.RUNNING
        assert daemon.guests()[NAME] == pid
        seen = Seen(driver)
        _switch_off(NAME)
        await seen.until(NAME, Power.SHUTOFF, Power.CRASHED)


async def test_libvirtd_killed_unused(tmp_path: Path) -> None:
    """Events come again after libvirtd's death even if nobody asked it anything."""
    spec = guest_spec(tmp_path, NAME)
    async with _running(spec) as driver:
        daemon = DAEMON[0]
        back: Deferred[None] = Deferred()
        inner = driver._thread._back
        driver._thread._back = lambda: (inner(), back.callback(None))[0]
        running = processes.running(daemon.record)
        assert running is not None
        os.kill(running, signal.SIGKILL)
        while processes.running(daemon.record) is not None:
            await deferLater(reactor, 0.05)  # type: ignore[arg-type]
        await deferToThread(daemon.start)
        await back
        seen = Seen(driver)
        _switch_off(NAME)
        await seen.until(NAME, Power.SHUTOFF, Power.CRASHED)


async def test_linux(tmp_path: Path) -> None:
    """A Linux guest boots from its kernel and its grown disk, and shuts down before a reboot."""
    tarball = await deferToThread(guest_image.build)
    base = tmp_path / "_base"
    base.mkdir()
    kernel, ramdisk, image = await deferToThread(guest_image.unpack, tarball, base)
    spec = replace(
        guest_spec(tmp_path, NAME),
        image=str(image),
        kernel=str(kernel),
        ramdisk=str(ramdisk),
        memory_mb=128,
        root_bytes=2**30,
    )
    async with _running(spec, grace=600) as driver:
        found = await _said(driver, spec, b"login:")
        assert b"Linux version" in found and b"(vda): mounted" in found
        await driver.reboot(spec)
        assert b"NOVA-GUEST-SHUTDOWN" in await _said(driver, spec, b"Linux version", 2)
