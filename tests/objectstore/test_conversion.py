"""What qemu-img is asked, and what of its answers is believed."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from nova_tx.errors import ImageError, ProcessFailed, Unavailable
from nova_tx.image.formats import Disk
from nova_tx.objectstore.conversion import Conversion, Stopped, bounded, check_said, source_options
from nova_tx.process import Result
from nova_tx.testing.runner import FakeRunner, hang, missing

DISK = Disk("qcow2", 4096)
SAID = {"format": "qcow2", "virtual-size": 4096, "filename": "/x/plain"}


def _said(**more: object) -> bytes:
    return json.dumps({**SAID, **more}).encode()


def test_bounds() -> None:
    """A program may have so much memory, time and room, and no more."""
    assert bounded(("qemu-img", "info"), 1000, 60) == (
        *("prlimit", "--as=1073741824", "--cpu=60", "--fsize=1000", "--core=0", "--nofile=64"),
        *("--", "setpriv", "--pdeathsig=KILL", "--no-new-privs"),
        *("nice", "-n", "10", "qemu-img", "info"),
    )


def test_options() -> None:
    """The format is named, and the file is a file whatever its name looks like."""
    assert source_options("qcow2", "/a,b/json:{}") == (
        "driver=qcow2,file.driver=file,file.filename=/a,,b/json:{}"
    )
    assert source_options("vpc", "/x") == (
        "driver=vpc,force_size_calc=current_size,file.driver=file,file.filename=/x"
    )


def test_agreed() -> None:
    """What agrees with the header and refers to nothing is believed."""
    check_said(_said(), DISK, "/x/plain")
    extents = {"data": {"extents": [{"filename": "/x/plain"}]}}
    check_said(_said(**{"format-specific": extents}), DISK, "/x/plain")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"backing-filename": "/etc/passwd"}, "outside"),
        ({"full-backing-filename": "/etc/passwd"}, "outside"),
        ({"format-specific": {"data": {"data-file": "/etc/passwd"}}}, "outside"),
        ({"format-specific": {"data": {"encrypt": {"format": "luks"}}}}, "outside"),
        ({"format-specific": {"data": {"extents": [{"filename": "/etc/passwd"}]}}}, "outside"),
        ({"children": [{"info": {"backing-filename": "x"}}]}, "outside"),
        ({"format": "raw"}, "contradicts"),
        ({"virtual-size": 2**50}, "contradicts"),
        ({"format-specific": 7}, "not understood"),
    ],
)
def test_disagreed(more: dict[str, Any], reason: str) -> None:
    """What refers to anything else, or is not what its header says, is refused."""
    with pytest.raises(ImageError, match=reason):
        check_said(_said(**more), DISK, "/x/plain")


@pytest.mark.parametrize("said", [b"", b"[]", b"{}"])
def test_nonsense(said: bytes) -> None:
    """An answer that makes no sense is a refusal."""
    with pytest.raises(ImageError, match="not understood"):
        check_said(said, DISK, "/x/plain")


def _runner(**convert: Any) -> FakeRunner:
    runner = FakeRunner()

    def program(argv: tuple[str, ...], stdin: bytes) -> Result:
        if "info" in argv:
            return Result(0, _said(), b"")
        return Result(**{"exit_code": 0, "stdout": b"", "stderr": b"", **convert})

    runner.program("prlimit", does=program)
    return runner


async def test_convert() -> None:
    """A disk is looked at, then converted, and what is printed of it is reported."""
    runner = _runner(stdout=b"    (7.00/100%)\r    (42.97/100%)\r")
    reported: list[int] = []
    conversion = Conversion(runner, 10**6, 60)
    await conversion.convert("/x/plain", DISK, "/x/raw", reported.append)
    assert [each.argv[each.argv.index("qemu-img") + 1] for each in runner.ran] == [
        "info",
        "convert",
    ]
    assert runner.ran[1].argv[-3:] == ("-O", "raw", "/x/raw")
    assert reported == [42]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ended(number: signal.Signals) -> None:
    """A program that somebody ends, as all of a service may be, says nothing of an image."""
    conversion = Conversion(_runner(exit_code=-number), 10**6, 60)
    with pytest.raises(Unavailable):
        await conversion.convert("/x/plain", DISK, "/x/raw", list)


async def test_failed() -> None:
    """A program that fails or takes too long is the image's fault, one that is not there is not."""
    conversion = Conversion(_runner(exit_code=1, stderr=b"/secret"), 10**6, 60)
    with pytest.raises(ImageError, match="read as qcow2") as caught:
        await conversion.convert("/x/plain", DISK, "/x/raw", list)
    assert "/secret" not in str(caught.value)
    runner = FakeRunner()
    conversion = Conversion(runner, 10**6, 60)
    runner.program("prlimit", does=hang)
    with pytest.raises(ImageError, match="more than 60 seconds"):
        await conversion.unpack("zstd", "/x/packed", "/x/plain")
    runner.program("prlimit", does=missing)
    with pytest.raises(ProcessFailed):
        await conversion.unpack("zstd", "/x/packed", "/x/plain")


class _Hanging:
    """A runner whose programs run until they are ended."""

    def __init__(self) -> None:
        self.running: list[Deferred[Result]] = []

    async def run(self, argv: object, **options: object) -> Result:
        self.running.append(Deferred())
        return await self.running[-1]


async def test_stop() -> None:
    """When the daemon ends so do its programs, and those that wait for their turn never begin."""
    runner: Any = _Hanging()
    conversion = Conversion(runner, 10**6, 60)
    works = [
        Deferred.fromCoroutine(conversion.unpack("zstd", "/x/packed", "/x/plain")) for _ in range(3)
    ]
    assert len(runner.running) == 2
    conversion.stop()
    for work in works:
        with pytest.raises(Stopped):
            await work
    assert len(runner.running) == 2
