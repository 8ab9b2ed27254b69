"""The fake hypervisor."""

from __future__ import annotations

from pathlib import Path

from nova_tx.flags import ComputeFlags
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.states import Power
from nova_tx.testing.conformance.virt import make_virt_tests
from nova_tx.testing.guests import guest_spec
from nova_tx.virt.fake import FakeDriver


class FakeBench:
    """Guests as files."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def driver(self) -> FakeDriver:
        return FakeDriver(ComputeFlags(instances_path=str(self._directory)))

    def spec(self, name: str) -> GuestSpec:
        return guest_spec(self._directory, name)

    async def switch_off(self, driver: FakeDriver, name: str) -> None:
        driver.switch_off(name)


class TestFakeDriver(make_virt_tests(FakeBench)):  # type: ignore[misc]
    """The suite of IVirtDriver on files."""


async def test_disk(tmp_path: Path) -> None:
    """A fake guest's disk is the beginning of its image; a rescue's is beside it."""
    driver = FakeDriver(ComputeFlags(instances_path=str(tmp_path)))
    spec = guest_spec(tmp_path, "instance-00000001", content=b"the image")
    rescue = tmp_path / "ami-rescue"
    rescue.write_bytes(b"the rescue")
    await driver.spawn(spec)
    disk = Path(spec.directory, "disk").read_bytes()
    assert len(disk) == 2**16 and disk.startswith(b"the image")
    await driver.rescue(spec, BootFiles(str(rescue), None, None))
    assert Path(spec.directory, "disk.rescue").read_bytes() == b"the rescue"
    assert Path(spec.directory, "disk").read_bytes() == disk


async def test_switches_itself_off(tmp_path: Path) -> None:
    """Of a fake guest that switches itself off both is told; of one that is off, nothing."""
    driver = FakeDriver(ComputeFlags(instances_path=str(tmp_path)))
    spec = guest_spec(tmp_path, "instance-00000001")
    await driver.spawn(spec)
    seen: list[Power] = []
    driver.watch(lambda name, power: seen.append(power))
    driver.switch_off(spec.name)
    driver.switch_off(spec.name)
    assert seen == [Power.SHUTDOWN, Power.SHUTOFF]


async def test_console_text(tmp_path: Path) -> None:
    """A fake guest's console says what Bexar's said."""
    driver = FakeDriver(ComputeFlags(instances_path=str(tmp_path)))
    spec = guest_spec(tmp_path, "instance-00000001")
    await driver.spawn(spec)
    assert await driver.console_output(spec.name, spec.directory) == b"FAKE CONSOLE OUTPUT"
