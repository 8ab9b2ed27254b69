"""The libvirt driver on the hypervisor that libvirt carries inside itself for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor

from nova_tx.context import RequestContext
from nova_tx.flags import LibvirtFlags
from nova_tx.log import in_context
from nova_tx.model.guests import GuestSpec
from nova_tx.process import Runner
from nova_tx.testing.conformance.virt import make_virt_tests
from nova_tx.testing.guests import guest_spec
from nova_tx.testing.lines import logged_lines
from nova_tx.virt.libvirt.driver import LibvirtDriver


class InProcessDriver(LibvirtDriver):
    """The driver, with the type of domain that this hypervisor has."""

    def __init__(self) -> None:
        flags = LibvirtFlags(libvirt_uri="test:///default", use_cow_images=False)
        super().__init__(reactor, Runner(reactor, ()), flags)  # type: ignore[arg-type]
        self._kind = "test"


class InProcessBench:
    """libvirt's test:///default: its state lives as long as one connection does."""

    def __init__(self, directory: Path) -> None:
        import libvirt

        self._directory = directory
        self._held: Any = libvirt.open("test:///default")  # guests outlive drivers

    def driver(self) -> LibvirtDriver:
        return InProcessDriver()

    def spec(self, name: str) -> GuestSpec:
        return guest_spec(self._directory, name)

    async def switch_off(self, driver: Any, name: str) -> None:
        self._held.lookupByName(name).destroy()


class TestInProcess(make_virt_tests(InProcessBench)):  # type: ignore[misc]
    """The suite of IVirtDriver on libvirt's own test hypervisor."""


async def test_in_the_log(tmp_path: Path) -> None:
    """What libvirt does, in its thread, is in the log of the request that it is done for."""
    context = RequestContext(user="john", project="physics")
    bench = InProcessBench(tmp_path)
    driver = bench.driver()
    await driver.open()
    spec = bench.spec("instance-00000001")
    with logged_lines() as lines, in_context(context):
        await driver.spawn(spec)
        await driver.destroy(spec.name, spec.directory)
    await driver.close()
    for text in (
        "instance-00000001 is started",
        "instance-00000001 is ended",
        "libvirt: create in",
    ):
        assert set(lines.of(text)) == {context.request_id}, text
    assert "<domain" not in str(lines.told)
