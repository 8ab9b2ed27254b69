"""Guests' disks: the programs that make them, in their order."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from nova_tx.errors import ProcessFailed
from nova_tx.model.guests import BootFiles
from nova_tx.process import Result
from nova_tx.testing.guests import guest_spec
from nova_tx.testing.runner import FakeRunner, hang
from nova_tx.virt.libvirt.disks import Disks

NAME = "instance-00000001"


def _argv(runner: FakeRunner) -> list[tuple[str, ...]]:
    return [each.argv for each in runner.ran]


async def test_overlay(tmp_path: Path) -> None:
    """The root disk is an overlay that says what its base is: raw."""
    runner, spec = FakeRunner(), guest_spec(tmp_path, NAME)
    await Disks(runner, True).prepare(spec)
    assert _argv(runner) == [
        (
            *("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M"),
            *("-b", spec.image, "-F", "raw", f"{spec.directory}/disk"),
        )
    ]


async def test_copy(tmp_path: Path) -> None:
    """Without overlays the root disk is a sparse copy."""
    runner, spec = FakeRunner(), guest_spec(tmp_path, NAME)
    await Disks(runner, False).prepare(spec)
    assert _argv(runner) == [
        ("cp", "--sparse=always", "--reflink=auto", "-T", spec.image, f"{spec.directory}/disk")
    ]


async def test_files(tmp_path: Path) -> None:
    """The second disk has its size and no content, the console is empty, both are private."""
    spec = replace(guest_spec(tmp_path, NAME), local_gb=20)
    await Disks(FakeRunner(), True).prepare(spec)
    local, console = (os.stat(f"{spec.directory}/{each}") for each in ("disk.local", "console.log"))
    assert (local.st_size, local.st_blocks) == (20 * 2**30, 0)
    assert console.st_size == 0
    assert {each.st_mode & 0o777 for each in (local, console)} == {0o600}
    assert os.stat(spec.directory).st_mode & 0o777 == 0o711


async def test_no_second_disk(tmp_path: Path) -> None:
    """A type without local space has no second disk."""
    spec = guest_spec(tmp_path, NAME)
    await Disks(FakeRunner(), True).prepare(spec)
    assert os.listdir(spec.directory) == ["console.log"]


async def test_grown(tmp_path: Path) -> None:
    """An image that is too small is grown beside itself, then given its name."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=10**7)
    await Disks(runner, True).prepare(spec)
    grown = f"{spec.image}+10000000"
    part = grown + "+part"
    assert _argv(runner)[:-1] == [
        ("cp", "--sparse=always", "--reflink=auto", "-T", spec.image, part),
        ("truncate", "-s", "10000000", part),
        ("e2fsck", "-fp", part),
        ("resize2fs", part),
        ("sync", part),
        ("mv", "-T", part, grown),
    ]
    assert grown in _argv(runner)[-1]


async def test_partitioned(tmp_path: Path) -> None:
    """An image that is no file system is made longer, and its content left alone."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=10**7)
    runner.answer("e2fsck", exit_code=8, stderr=b"Bad magic number in super-block")
    await Disks(runner, True).prepare(spec)
    assert "resize2fs" not in [each[0] for each in _argv(runner)]
    assert "mv" in [each[0] for each in _argv(runner)]


async def test_resize_refused(tmp_path: Path) -> None:
    """That a file system can't be grown is no failure."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=10**7)
    runner.answer("e2fsck", exit_code=1)
    runner.answer("resize2fs", exit_code=1)
    await Disks(runner, True).prepare(spec)
    assert "mv" in [each[0] for each in _argv(runner)]


async def test_resize_hangs(tmp_path: Path) -> None:
    """An image that was half grown is never used."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=10**7)
    runner.program("resize2fs", does=hang)
    with pytest.raises(ProcessFailed):
        await Disks(runner, True).prepare(spec)
    assert "mv" not in [each[0] for each in _argv(runner)]


async def test_large_enough(tmp_path: Path) -> None:
    """An image that is larger already is used as it is."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=100)
    await Disks(runner, True).prepare(spec)
    assert [each[0] for each in _argv(runner)] == ["qemu-img"]


class Slow(FakeRunner):
    """Programs that wait for the test, and an mv that leaves a file."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] = Deferred()
        self.program("mv", does=self._move)

    def _move(self, argv: tuple[str, ...], stdin: bytes) -> Result:
        Path(argv[-1]).touch()
        return Result(0, b"", b"")

    async def run(self, argv: Sequence[str], *args: Any, **kwargs: Any) -> Result:
        waiting: Deferred[None] = Deferred()
        self.gate.chainDeferred(waiting)
        await waiting
        return await super().run(argv, *args, **kwargs)


async def test_grown_once(tmp_path: Path) -> None:
    """Two first guests of an image share one growing; a later one finds the file."""
    runner = Slow()
    one = replace(guest_spec(tmp_path, NAME), root_bytes=10**7)
    two = replace(guest_spec(tmp_path, "instance-00000002"), root_bytes=10**7)
    disks = Disks(runner, True)
    growing = [Deferred.fromCoroutine(disks.prepare(each)) for each in (one, two)]
    while len(disks._growing._waiting.get(one.image + "+10000000", ())) < 2:
        await deferLater(reactor, 0)  # type: ignore[arg-type]
    runner.gate.callback(None)
    await gatherResults(growing)
    await disks.prepare(one)
    assert [each[0] for each in _argv(runner)].count("resize2fs") == 1


async def test_leftovers(tmp_path: Path) -> None:
    """Disks of an attempt that broke off are not used."""
    spec = guest_spec(tmp_path, NAME)
    os.makedirs(spec.directory)
    Path(spec.directory, "disk").write_text("half")
    await Disks(FakeRunner(), True).prepare(spec)
    assert os.listdir(spec.directory) == ["console.log"]


async def test_rescue(tmp_path: Path) -> None:
    """A rescue's disk is made anew, and not grown; at its end it is gone, what is missing made."""
    runner, spec = FakeRunner(), replace(guest_spec(tmp_path, NAME), root_bytes=10**7, local_gb=1)
    disks, directory = Disks(runner, True), Path(spec.directory)
    directory.mkdir()
    (directory / "disk.rescue").write_text("of an earlier one")
    await disks.prepare_rescue(spec, BootFiles("/base/ami-rescue", None, None))
    assert not (directory / "disk.rescue").exists()
    assert [each[-4:] for each in _argv(runner)] == [
        ("/base/ami-rescue", "-F", "raw", f"{directory}/disk.rescue")
    ]
    for name in ("disk.rescue", "libvirt.xml.rescue"):
        (directory / name).touch()
    await disks.end_rescue(spec)
    assert os.listdir(directory) == ["disk.local"]
    assert os.stat(directory / "disk.local").st_size == 2**30
    (directory / "disk.local").write_text("mine")
    await disks.end_rescue(spec)
    assert (directory / "disk.local").read_text() == "mine"


@pytest.mark.parametrize(("cow", "form"), [(True, "qcow2"), (False, "raw")])
async def test_copy_root(tmp_path: Path, cow: bool, form: str) -> None:
    """A copy is made beside its name, in a file of this daemon's own that others can't read."""
    runner, spec = FakeRunner(), guest_spec(tmp_path, NAME)
    copy = tmp_path / "copy"
    Path(f"{copy}+part").write_text("half of an earlier one")
    await Disks(runner, cow).copy_root(spec.directory, str(copy))
    assert _argv(runner) == [
        (
            *("qemu-img", "convert", "-q", "-U", "-f", form, "-O", "raw"),
            *(f"{spec.directory}/disk", f"{copy}+part"),
        ),
        ("sync", f"{copy}+part"),
    ]
    assert copy.read_bytes() == b"" and os.stat(copy).st_mode & 0o777 == 0o600


async def test_copy_root_fails(tmp_path: Path) -> None:
    """A copy that broke off never has its name; removed, nothing is left of it."""
    runner, spec = FakeRunner(), guest_spec(tmp_path, NAME)
    runner.program("qemu-img", does=hang)
    disks, copy = Disks(runner, True), tmp_path / "copy"
    with pytest.raises(ProcessFailed):
        await disks.copy_root(spec.directory, str(copy))
    assert not copy.exists()
    await disks.remove_copy(str(copy))
    await disks.remove_copy(str(copy))
    assert not list(tmp_path.glob("copy*"))


async def test_remove(tmp_path: Path) -> None:
    """A directory is removed with all that is in it; none is no failure."""
    spec = guest_spec(tmp_path, NAME)
    disks = Disks(FakeRunner(), True)
    await disks.prepare(spec)
    await disks.remove(spec.directory)
    await disks.remove(spec.directory)
    assert not os.path.exists(spec.directory)


async def test_console(tmp_path: Path) -> None:
    """The console's last 64 KiB are read, also from the part that was put aside."""
    runner, log = FakeRunner(), str(tmp_path / "console.log")
    disks = Disks(runner, True)
    assert await disks.console(str(tmp_path)) == b""
    assert runner.ran == []
    runner.answer("tail", stdout=b"x" * 70000 + b"end")
    Path(log).touch()
    found = await disks.console(str(tmp_path))
    assert len(found) == 65536 and found.endswith(b"end")
    Path(log + ".0").touch()
    await disks.console(str(tmp_path))
    assert [each[-2:] for each in _argv(runner)] == [("--", log), (log + ".0", log)]


async def test_a_console_that_goes_away(tmp_path: Path) -> None:
    """A guest that is removed while its console is asked for has said nothing."""
    runner, log = FakeRunner(), tmp_path / "console.log"
    log.touch()

    def removed(_argv: Sequence[str], _stdin: bytes) -> Result:
        log.unlink()
        return Result(1, b"", b"No such file or directory")

    runner.program("tail", does=removed)
    assert await Disks(runner, True).console(str(tmp_path)) == b""
