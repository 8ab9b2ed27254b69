"""The libvirt driver: its flags, its connection, its limits."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from nova_tx.errors import HypervisorAway, StartupError, VirtError
from nova_tx.flags import LibvirtFlags
from nova_tx.states import Power
from nova_tx.testing.runner import FakeRunner
from nova_tx.virt.libvirt import thread
from nova_tx.virt.libvirt.driver import LibvirtDriver
from nova_tx.virt.libvirt.events import library, power_after
from nova_tx.virt.libvirt.thread import LibvirtThread


def _thread(clock: Any = reactor, uri: str = "test:///default") -> LibvirtThread:
    return LibvirtThread(clock, uri, lambda name, power: None, lambda: None)


def test_unknown_type() -> None:
    """A libvirt_type that is not ours is refused with those that are."""
    with pytest.raises(StartupError, match="--libvirt_type is kvm or qemu, not 'xen'"):
        LibvirtDriver(reactor, FakeRunner(), LibvirtFlags(libvirt_type="xen"))


@pytest.mark.parametrize(
    ("flags", "uri"),
    [
        (LibvirtFlags(libvirt_type="kvm"), "qemu:///system"),
        (LibvirtFlags(libvirt_type="qemu"), "qemu:///system"),
        (LibvirtFlags(libvirt_type="qemu", libvirt_uri="qemu:///x"), "qemu:///x"),
    ],
)
def test_uri(flags: LibvirtFlags, uri: str) -> None:
    """Flag libvirt_uri goes before what the type says."""
    assert LibvirtDriver(reactor, FakeRunner(), flags)._thread._uri == uri


async def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libvirt-python the daemon says how to get it."""
    monkeypatch.setitem(sys.modules, "libvirt", None)
    monkeypatch.setattr(thread, "library", library.__wrapped__)
    with pytest.raises(StartupError, match="needs libvirt-python: pip install"):
        await _thread().open()


async def test_unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A libvirt that is not there is away after the attempts, which says where it should be."""
    monkeypatch.setattr(thread, "ATTEMPTS", 1)
    uri = f"qemu+unix:///system?socket={tmp_path}/none"
    with pytest.raises(HypervisorAway, match="libvirt at qemu") as caught:
        await _thread(uri=uri).open()
    assert caught.value.__cause__ is not None


async def test_work_on_connection() -> None:
    """Work gets the connection, and its result comes back."""
    found = _thread()
    await found.open()
    assert await found.run(lambda conn: conn.getURI()) == "test:///default"
    assert await found.run(lambda conn, a, b: a + b, 1, b=2) == 3
    await found.close()
    await found.close()


class Dead:
    """A connection that broke."""

    def isAlive(self) -> bool:
        return False

    def unregisterCloseCallback(self) -> None: ...
    def domainEventDeregisterAny(self, number: int) -> None: ...
    def close(self) -> None: ...


async def test_reopened() -> None:
    """A connection that died is opened again by the next work, and its return is told."""
    told: list[str] = []
    found = LibvirtThread(reactor, "test:///default", lambda *a: None, lambda: told.append("back"))
    await found.open()

    held = await found.run(lambda conn: conn)
    found._conn = Dead()
    assert await found.run(lambda conn: conn.isAlive()) == 1
    while not told:
        await found.run(lambda conn: None)
    assert held.isAlive() == 1
    await found.close()


async def test_not_reopened_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is given up at the end, but was begun, opens no connection that nobody closes."""
    found = _thread()
    await found.open()
    await found.run(lambda conn: found._disconnect())
    opened: list[str] = []
    monkeypatch.setattr(library(), "open", opened.append)
    with found._lock:
        given_up = found.run(lambda conn: None).addErrback(Failure.trap, CancelledError)
        given_up.cancel()
        closing = Deferred.fromCoroutine(found.close())
    await closing
    assert opened == []


class Breaking(Dead):
    """A connection that breaks when it is told to."""

    def __init__(self) -> None:
        self.alive, self.closed = True, False

    def isAlive(self) -> bool:
        return self.alive

    def close(self) -> None:
        self.closed = True


async def test_closed_by_last_user() -> None:
    """A connection that broke is replaced at once, but not closed while a call is inside it."""
    found = _thread()
    await found.open()
    await found.run(lambda conn: found._disconnect())
    conn = found._conn = Breaking()
    begun, go_on = threading.Event(), threading.Event()

    def inside(conn: Breaking) -> bool:
        begun.set()
        go_on.wait(60)
        return conn.closed

    hanging = found.run(inside)
    begun.wait(60)
    conn.alive = False
    assert await found.run(lambda conn: conn.getURI()) == "test:///default"
    go_on.set()
    assert not await hanging
    assert conn.closed
    await found.close()


async def test_close_waits() -> None:
    """The end waits for the calls in hand before it disconnects."""
    found = _thread()
    await found.open()
    go_on = threading.Event()
    hanging = found.run(lambda conn: go_on.wait(60) and conn.isAlive())
    closing = Deferred.fromCoroutine(found.close())
    await found.run(lambda conn: None)
    assert not closing.called
    go_on.set()
    assert await hanging == 1
    await closing


async def test_refused() -> None:
    """What libvirt refuses is a VirtError, not its absence, and its connection stays."""
    found = _thread()
    await found.open()
    with pytest.raises(VirtError, match="Domain not found") as caught:
        await found.run(lambda conn: conn.lookupByName("nobody"))
    assert not isinstance(caught.value, HypervisorAway)
    await found.close()


async def test_broken_meanwhile() -> None:
    """Work whose connection breaks is told that the hypervisor is away: it may be asked again."""
    found = _thread()
    await found.open()

    def broken(conn: Any) -> None:
        found._conn = Dead()
        raise library().libvirtError("client socket is closed")

    with pytest.raises(HypervisorAway, match="socket is closed"):
        await found.run(broken)
    await found.run(lambda conn: None)
    await found.close()


@pytest.mark.parametrize(
    ("event", "detail", "power"),
    [
        ("STARTED", 0, Power.RUNNING),
        ("RESUMED", 0, Power.RUNNING),
        ("SUSPENDED", 0, Power.PAUSED),
        ("SHUTDOWN", 0, None),
        ("SHUTDOWN", 1, Power.SHUTDOWN),  # by the guest
        ("SHUTDOWN", 2, None),  # by its host
        ("STOPPED", 0, Power.SHUTOFF),
        ("STOPPED", 2, Power.CRASHED),
        ("CRASHED", 0, Power.CRASHED),
        ("PMSUSPENDED", 0, Power.SUSPENDED),
        ("DEFINED", 0, None),
    ],
)
def test_events(event: str, detail: int, power: Power | None) -> None:
    """Each lifecycle event means a power state, or none."""
    libvirt = library()
    number = getattr(libvirt, f"VIR_DOMAIN_EVENT_{event}")
    assert power_after(libvirt, number, detail) == power


async def test_end_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that would not end is an error after the limit, without asking again and again."""
    clock = Clock()
    driver = LibvirtDriver(clock, FakeRunner(), LibvirtFlags(libvirt_type="qemu"))
    asked = []

    async def answer(fn: Any, *args: Any) -> Any:
        asked.append(fn.__name__)
        return Power.RUNNING

    monkeypatch.setattr(driver._thread, "run", answer)
    ending = Deferred.fromCoroutine(driver.destroy("instance-1", "/nowhere"))
    clock.advance(59)
    assert not ending.called and asked == ["destroy", "power"]
    driver._seen("another", Power.RUNNING)
    assert asked == ["destroy", "power", "power"]
    clock.advance(2)
    with pytest.raises(VirtError, match="instance-1 did not change in 60 s"):
        await ending
    assert clock.getDelayedCalls() == [] and driver._waiting == []
