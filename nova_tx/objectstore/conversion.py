"""
Other programs that read what users uploaded: in bounds of time, memory and room, with no rights.

They are told what a file is, and that it is a file: nothing is left for them to
find out from what is in it.  That it names no other file was seen before
(L{nova_tx.image.formats}); here C{qemu-img} is asked whether it agrees.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Sequence

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.logger import Logger

from nova_tx.errors import ImageError, ProcessFailed, Unavailable
from nova_tx.image.formats import Disk
from nova_tx.process import IRunner, Result

_log = Logger()

#: Bytes of address space: several times what qemu-img has been seen to need.
MEMORY = 2**30
#: Programs that run at once.
_AT_ONCE = 2
#: Status of a program that somebody ended, perhaps with us: it says nothing of an image.
_ENDED = (-signal.SIGHUP, -signal.SIGINT, -signal.SIGTERM)
#: Seconds for a look at a header.
_LOOK = 30
_PERCENT = re.compile(rb"\(([0-9]+)\.[0-9]+/100%\)")
#: What must not be in what is said of an image, at whatever depth.
_OUTSIDE = ("backing-filename", "full-backing-filename", "data-file", "encrypt")
#: QEMU's options of a format beside its name: a VHD's size is the one that is written in it,
#: and not what old BIOSes could address.
_OPTIONS = {"vpc": ("force_size_calc=current_size",)}


class Stopped(Exception):
    """The daemon ends; the work will begin again."""


class Conversion:
    """Has disks made raw."""

    def __init__(self, runner: IRunner, max_bytes: int, seconds: int) -> None:
        """
        @param runner: runs programs with no more rights than ours.
        @param max_bytes: size of the largest file.
        @param seconds: that a program may take, of time and of a processor.
        """
        self._runner = runner
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._turn = DeferredSemaphore(_AT_ONCE)
        self._running: set[Deferred[Result]] = set()
        self._stopped = False

    def start(self) -> None:
        """Let programs run."""
        self._stopped = False

    def stop(self) -> None:
        """End those that run; who waits for one gets L{Stopped}."""
        self._stopped = True
        for each in tuple(self._running):
            each.cancel()

    async def unpack(self, kind: str, source: str, target: str) -> None:
        """
        Unpack a file that C{zstd} packed.

        @raise ImageError: it is damaged, or unpacks to more than there may be.
        @raise Unavailable: somebody ended the program.
        """
        argv = ("zstd", "-d", "-q", "-f", "-o", target, "--", source)
        await self._run(argv, self._seconds, f"unpacked from {kind}")

    async def convert(
        self, source: str, disk: Disk, target: str, report: Callable[[int], None]
    ) -> None:
        """
        Make a raw disk of one that was looked at.

        @param report: told how many per cent are done.
        @raise ImageError: it can't be read, or is not what it seemed to be.
        @raise Unavailable: somebody ended the program.
        """
        what = f"read as {disk.driver}"
        options = source_options(disk.driver, source)
        said = await self._run(
            ("qemu-img", "info", "--output=json", "--image-opts", options), _LOOK, what
        )
        check_said(said, disk, source)
        argv = ("qemu-img", "convert", "-p", "--image-opts", options, "-O", "raw", target)
        await self._run(argv, self._seconds, what, lambda text: _heard(text, report))

    async def _run(
        self,
        argv: Sequence[str],
        seconds: int,
        what: str,
        heard: Callable[[bytes], None] | None = None,
    ) -> bytes:
        await self._turn.acquire()
        try:
            if self._stopped:
                raise Stopped
            full = bounded(argv, self._max_bytes, seconds)
            return (await self._ended(full, float(seconds), heard)).stdout
        except ProcessFailed as error:
            if error.exit_code == 127:
                raise  # it is not there
            if error.exit_code in _ENDED:
                raise Unavailable(f"{argv[0]} was ended") from None
            _log.info("{program}: {error}", program=argv[0], error=str(error))
            if error.exit_code is None:
                raise ImageError(f"the image took more than {seconds} seconds") from None
            raise ImageError(f"the image can't be {what}, or is too large") from None
        finally:
            self._turn.release()

    async def _ended(
        self, argv: tuple[str, ...], seconds: float, heard: Callable[[bytes], None] | None
    ) -> Result:
        running = Deferred.fromCoroutine(_run(self._runner, argv, seconds, heard))
        self._running.add(running)
        try:
            return await running
        except CancelledError:
            raise Stopped from None
        finally:
            self._running.discard(running)


async def _run(
    runner: IRunner, argv: tuple[str, ...], seconds: float, heard: Callable[[bytes], None] | None
) -> Result:
    return await runner.run(argv, timeout=seconds, heard=heard)


def bounded(argv: Sequence[str], max_bytes: int, seconds: int) -> tuple[str, ...]:
    """A command in bounds: memory, time of a processor, size of files; and after others' turn."""
    return (
        "prlimit",
        f"--as={MEMORY}",
        f"--cpu={seconds}",
        f"--fsize={max_bytes}",
        "--core=0",
        "--nofile=64",
        "--",
        # it ends with us, however we end: its files are removed then
        "setpriv",
        "--pdeathsig=KILL",
        "--no-new-privs",
        "nice",
        "-n",
        "10",
        *argv,
    )


def source_options(driver: str, path: str) -> str:
    """
    A file as C{--image-opts} has it: C{-f}, for the format and for what is below it.

    So neither is probed for, and the path is a path, whatever it looks like.
    """
    file = ("file.driver=file", "file.filename=" + os.path.abspath(path).replace(",", ",,"))
    return ",".join((f"driver={driver}", *_OPTIONS.get(driver, ()), *file))


def check_said(said: bytes, disk: Disk, path: str) -> None:
    """
    What C{qemu-img info} says of a disk is what was seen.

    @raise ImageError: it is not.
    """
    try:
        found = json.loads(said)
        same = (found["format"], found["virtual-size"]) == (disk.driver, disk.size)
        alone = not any(_names(found, each) for each in _OUTSIDE)
        extents = found.get("format-specific", {}).get("data", {}).get("extents", ())
        alone = alone and all(_is(each["filename"], path) for each in extents)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError("the image is not understood") from error
    if not alone:
        raise ImageError("the image refers to something outside of it")
    if not same:
        raise ImageError("the image contradicts itself")


def _names(said: object, name: str) -> bool:
    if isinstance(said, dict):
        return bool(said.get(name)) or any(_names(each, name) for each in said.values())
    return isinstance(said, list) and any(_names(each, name) for each in said)


def _is(said: str, path: str) -> bool:
    return said == os.path.abspath(path)


def _heard(text: bytes, report: Callable[[int], None]) -> None:
    if found := _PERCENT.findall(text):
        report(int(found[-1]))
