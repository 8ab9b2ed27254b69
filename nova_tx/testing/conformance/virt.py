"""What every implementation of IVirtDriver promises."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from nova_tx.errors import VirtError
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver

#: Seconds after which a guest that did not change is a failure.
DEADLINE = 180.0


class Bench(Protocol):
    """A hypervisor to try a driver on."""

    def driver(self) -> Any:
        """A driver, not opened; each one finds the same guests."""

    def spec(self, name: str) -> GuestSpec:
        """A guest that can run there; its image is there, its directory is not."""

    def switch_off(self, driver: Any, name: str) -> Awaitable[None]:
        """End a guest behind the driver's back, as if it had switched itself off."""


class Seen:
    """What a driver reports, to be waited for."""

    def __init__(self, driver: Any) -> None:
        from twisted.internet import reactor

        self._clock: Any = reactor
        self._reports: list[tuple[str, Power]] = []
        self._news: list[Deferred[None]] = []
        driver.watch(self._seen)

    def _seen(self, name: str, power: Power) -> None:
        self._reports.append((name, power))
        news, self._news = self._news, []
        for each in news:
            each.callback(None)

    async def until(self, name: str, *powers: Power) -> None:
        """Wait for a report, and forget it and all before it."""
        wanted = {(name, power) for power in powers}
        while not wanted & set(self._reports):
            news: Deferred[None] = Deferred()
            self._news.append(news)
            await news.addTimeout(DEADLINE, self._clock)
        while self._reports.pop(0) not in wanted:
            pass


def make_virt_tests(factory: Callable[[Path], Bench]) -> type:
    """
    The suite as a class to inherit from.

    @param factory: makes a bench whose files are in a directory.
    """

    @asynccontextmanager
    async def opened(bench: Bench, *names: str) -> AsyncIterator[Any]:
        """An open driver; the guests of these names are ended afterwards."""
        driver = bench.driver()
        await driver.open()
        try:
            yield driver
        finally:
            for name in names:
                await driver.destroy(name, bench.spec(name).directory)
            await driver.close()

    class VirtTests:
        def test_interface(self, tmp_path: Path) -> None:
            """It has the methods of IVirtDriver, with their parameters."""
            assert verifyObject(IVirtDriver, factory(tmp_path).driver())

        async def test_spawn(self, tmp_path: Path) -> None:
            """A guest that was spawned runs, and its directory is there."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                assert spec.name not in await driver.guests()
                await driver.spawn(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert os.path.isdir(spec.directory)

        async def test_spawn_again(self, tmp_path: Path) -> None:
            """Spawning a guest that runs leaves it and its files alone."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                before = {
                    each: os.stat(os.path.join(spec.directory, each)).st_ino
                    for each in os.listdir(spec.directory)
                }
                await driver.spawn(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert before == {
                    each: os.stat(os.path.join(spec.directory, each)).st_ino
                    for each in os.listdir(spec.directory)
                }

        async def test_spawn_over_leftovers(self, tmp_path: Path) -> None:
            """What an attempt that broke off has left does not stand in the way."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            os.makedirs(spec.directory)
            Path(spec.directory, "disk").write_text("half a disk")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING

        async def test_two_guests(self, tmp_path: Path) -> None:
            """Guests of one image run beside each other, and end one by one."""
            bench = factory(tmp_path)
            one, two = bench.spec("instance-00000001"), bench.spec("instance-00000002")
            async with opened(bench, one.name, two.name) as driver:
                await driver.spawn(one)
                await driver.spawn(two)
                assert {one.name, two.name} <= set(await driver.guests())
                await driver.destroy(one.name, one.directory)
                found = await driver.guests()
                assert one.name not in found and found[two.name] == Power.RUNNING

        async def test_spawn_fails(self, tmp_path: Path) -> None:
            """A guest that can't be made is a VirtError, and leaves no guest and no directory."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench) as driver:
                with pytest.raises(VirtError):
                    await driver.spawn(replace(spec, image=str(tmp_path / "nowhere")))
                assert spec.name not in await driver.guests()
                assert not os.path.exists(spec.directory)

        async def test_destroy_twice(self, tmp_path: Path) -> None:
            """Destroy leaves neither guest nor directory; again, or of nothing, it does nothing."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench) as driver:
                await driver.spawn(spec)
                await driver.destroy(spec.name, spec.directory)
                assert spec.name not in await driver.guests()
                assert not os.path.exists(spec.directory)
                await driver.destroy(spec.name, spec.directory)
                await driver.destroy("instance-0000ffff", str(tmp_path / "instance-0000ffff"))

        async def test_destroy_keeps_image(self, tmp_path: Path) -> None:
            """The image outlives the guests that were made of it."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            before = Path(spec.image).read_bytes()
            async with opened(bench) as driver:
                await driver.spawn(spec)
                await driver.destroy(spec.name, spec.directory)
            assert Path(spec.image).read_bytes() == before

        async def test_reboot(self, tmp_path: Path) -> None:
            """A guest that was rebooted runs, on the disks that it had."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                mine = Path(spec.directory, "mine")
                mine.write_text("kept")
                await driver.reboot(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert mine.read_text() == "kept"

        async def test_reboot_starts(self, tmp_path: Path) -> None:
            """A guest that had switched itself off is started by a reboot."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                await bench.switch_off(driver, spec.name)
                assert (await driver.guests()).get(spec.name) in (None, Power.SHUTOFF)
                await driver.reboot(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING

        async def test_reboot_of_nothing(self, tmp_path: Path) -> None:
            """A guest without disks can't be rebooted."""
            bench = factory(tmp_path)
            async with opened(bench) as driver:
                with pytest.raises(VirtError):
                    await driver.reboot(bench.spec("instance-00000001"))

        async def test_stop_and_start(self, tmp_path: Path) -> None:
            """A guest that was switched off keeps its disks, and is started from them."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                disk = os.stat(os.path.join(spec.directory, "disk")).st_ino
                await driver.stop(spec.name)
                assert (await driver.guests()).get(spec.name) in (None, Power.SHUTOFF)
                await driver.stop(spec.name)
                await driver.start(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert os.stat(os.path.join(spec.directory, "disk")).st_ino == disk

        async def test_stop_by_force(self, tmp_path: Path) -> None:
            """A guest whose power is cut is off, and is not said to have done it itself."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                seen: list[Power] = []
                driver.watch(lambda name, power: seen.append(power))
                ended = Seen(driver)
                await driver.stop(spec.name, force=True)
                await ended.until(spec.name, Power.SHUTOFF)
                assert Power.SHUTDOWN not in seen

        async def test_stop_of_nothing(self, tmp_path: Path) -> None:
            """There is nothing to switch off where there is no guest."""
            async with opened(factory(tmp_path)) as driver:
                await driver.stop("instance-0000ffff")
                await driver.stop("instance-0000ffff", force=True)

        async def test_start_again(self, tmp_path: Path) -> None:
            """Starting a guest that runs leaves it alone; one without disks can't be started."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                with pytest.raises(VirtError):
                    await driver.start(spec)
                await driver.spawn(spec)
                seen: list[Power] = []
                driver.watch(lambda name, power: seen.append(power))
                await driver.start(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert set(seen) <= {Power.RUNNING}

        async def test_rescue(self, tmp_path: Path) -> None:
            """A guest is rescued on a disk beside its own, and afterwards is as it was before."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                disk = os.stat(os.path.join(spec.directory, "disk")).st_ino
                await driver.stop(spec.name)
                await driver.start(spec)
                before = sorted(os.listdir(spec.directory))
                for _ in range(2):
                    await driver.rescue(spec, BootFiles(spec.image, None, None))
                    assert (await driver.guests())[spec.name] == Power.RUNNING
                    assert "disk.rescue" in os.listdir(spec.directory)
                await driver.unrescue(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING
                assert sorted(os.listdir(spec.directory)) == before
                assert os.stat(os.path.join(spec.directory, "disk")).st_ino == disk

        async def test_start_after_rescue(self, tmp_path: Path) -> None:
            """A guest that was switched off while it was rescued starts from its own disk."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                for again in (driver.start, driver.reboot):
                    await driver.rescue(spec, BootFiles(spec.image, None, None))
                    await driver.stop(spec.name)
                    await again(spec)
                    assert (await driver.guests())[spec.name] == Power.RUNNING
                    assert "disk.rescue" not in os.listdir(spec.directory)

        async def test_rescue_fails(self, tmp_path: Path) -> None:
            """A rescue that fails costs a guest nothing but its time: it can be started."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            nothing = BootFiles(str(tmp_path / "nowhere"), None, None)
            async with opened(bench, spec.name) as driver:
                with pytest.raises(VirtError):
                    await driver.rescue(spec, BootFiles(spec.image, None, None))
                with pytest.raises(VirtError):
                    await driver.unrescue(spec)
                await driver.spawn(spec)
                with pytest.raises(VirtError):
                    await driver.rescue(spec, nothing)
                await driver.start(spec)
                assert (await driver.guests())[spec.name] == Power.RUNNING

        async def test_snapshot(self, tmp_path: Path) -> None:
            """A disk can be copied while its guest runs, which goes on, and while it is off."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            content = os.urandom(2**20)
            Path(spec.image).write_bytes(content)
            first, second = tmp_path / "first", tmp_path / "second"
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                await driver.snapshot(spec.name, spec.directory, str(first))
                assert (await driver.guests())[spec.name] == Power.RUNNING
                await driver.stop(spec.name, force=True)
                await driver.snapshot(spec.name, spec.directory, str(second))
                assert (await driver.guests()).get(spec.name) in (None, Power.SHUTOFF)
            found = first.read_bytes()
            assert found and content.startswith(found)
            assert found == second.read_bytes()
            assert not list(tmp_path.glob("*+part"))

        async def test_snapshot_again(self, tmp_path: Path) -> None:
            """A copy that is whole is left alone; removed, nothing is left of it."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            copy, half = tmp_path / "copy", tmp_path / "copy+part"
            copy.write_text("whole")
            async with opened(bench, spec.name) as driver:
                await driver.spawn(spec)
                await driver.snapshot(spec.name, spec.directory, str(copy))
                assert copy.read_text() == "whole"
                half.write_text("half")
                for _ in range(2):
                    await driver.discard(spec.name, str(copy))
                    assert not copy.exists() and not half.exists()
                assert (await driver.guests())[spec.name] == Power.RUNNING

        async def test_snapshot_of_nothing(self, tmp_path: Path) -> None:
            """Of a guest without disks there is no copy."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench) as driver:
                with pytest.raises(VirtError):
                    await driver.snapshot(spec.name, spec.directory, str(tmp_path / "copy"))
                assert not (tmp_path / "copy").exists()

        async def test_watch(self, tmp_path: Path) -> None:
            """A watcher hears of the start and of the end of a guest, whoever ended it."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                seen = Seen(driver)
                await driver.spawn(spec)
                await seen.until(spec.name, Power.RUNNING)
                await bench.switch_off(driver, spec.name)
                await seen.until(spec.name, Power.SHUTOFF)
                await driver.reboot(spec)
                await seen.until(spec.name, Power.RUNNING)
                await driver.destroy(spec.name, spec.directory)
                await seen.until(spec.name, Power.SHUTOFF)

        async def test_outlives(self, tmp_path: Path) -> None:
            """Guests run on while no driver is open, and the next one finds them."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench) as driver:
                await driver.spawn(spec)
            async with opened(bench, spec.name) as driver:
                assert (await driver.guests())[spec.name] == Power.RUNNING

        async def test_console(self, tmp_path: Path) -> None:
            """The console of a guest is bytes; of one that never was, none."""
            bench = factory(tmp_path)
            spec = bench.spec("instance-00000001")
            async with opened(bench, spec.name) as driver:
                assert await driver.console_output(spec.name, spec.directory) == b""
                await driver.spawn(spec)
                assert isinstance(await driver.console_output(spec.name, spec.directory), bytes)

    return VirtTests
