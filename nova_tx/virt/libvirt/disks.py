"""
Guests' disks.                                                         [spec/07 section 6]

Every program runs as root through L{IRunner}, which also reads and replaces
files that libvirt has given to qemu's user.  Files are made 0600: libvirt makes
them readable for qemu (C{dynamic_ownership}, its default) when a guest starts.
"""

from __future__ import annotations

import os
import shutil

from twisted.internet.threads import deferToThread

from nova_tx.errors import ProcessFailed
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.once import Once
from nova_tx.process import IRunner
from nova_tx.virt.libvirt.domain_xml import CONSOLE, DISK, LOCAL_DISK, RESCUE_DISK

#: Seconds that copying or checking a whole disk may take.
LONG = 3600.0
#: End of the name of a file that is not whole.
PART = "+part"
#: Bytes of the console that are shown.
CONSOLE_BYTES = 64 * 1024


class Disks:
    """Makes and removes the files of guests."""

    def __init__(self, runner: IRunner, cow: bool) -> None:
        """
        @param cow: root disks are qcow2 over the shared image, not copies of it.
        """
        self._runner = runner
        self._cow = cow
        self._growing: Once[str] = Once()

    async def prepare(self, spec: GuestSpec) -> None:
        """
        Make the guest's directory and disks anew.

        @raise ProcessFailed: a program failed; what was made is still there.
        @raise OSError: a file could not be made.
        """
        await deferToThread(_fresh_directory, spec.directory)
        image = await self._grown(spec.image, spec.root_bytes)
        await self._root_disk(image, os.path.join(spec.directory, DISK))
        await deferToThread(_empty_files, spec)

    async def prepare_rescue(self, spec: GuestSpec, files: BootFiles) -> None:
        """
        Make the disk of a rescue anew, as large as its image is.

        @raise ProcessFailed, OSError: as L{prepare}.
        """
        await self.end_rescue(spec)
        await self._root_disk(files.image, os.path.join(spec.directory, RESCUE_DISK))

    async def end_rescue(self, spec: GuestSpec) -> None:
        """Remove what a rescue left; make a second disk that the guest came to have since."""
        await deferToThread(_end_rescue, spec)

    async def copy_root(self, directory: str, path: str) -> None:
        """
        Copy the root disk of a guest that is off or paused to C{path}, whole and raw.

        @raise ProcessFailed, OSError: it could not be; C{path} is not there.
        """
        part, disk = path + PART, os.path.join(directory, DISK)
        await deferToThread(_anew, part)  # made by us: this daemon is to read it
        form = "qcow2" if self._cow else "raw"
        # -U: a paused guest still holds its disk
        await self._run("qemu-img", "convert", "-q", "-U", "-f", form, "-O", "raw", disk, part)
        await self._run("sync", part)
        await deferToThread(os.rename, part, path)

    async def remove_copy(self, path: str) -> None:
        """Remove what L{copy_root} made, whole or half."""
        await deferToThread(_remove_files, path, path + PART)

    async def remove(self, directory: str) -> None:
        """Remove a guest's directory; none: nothing to do."""
        await deferToThread(_remove, directory)

    async def console(self, directory: str) -> bytes:
        """The end of what a guest wrote; older parts are in files that virtlogd put aside."""
        log = os.path.join(directory, CONSOLE)
        parts = [each for each in (log + ".0", log) if os.path.exists(each)]
        if not parts:
            return b""
        size = str(CONSOLE_BYTES)
        try:
            result = await self._runner.run(("tail", "-q", "-c", size, "--", *parts))
        except ProcessFailed:
            if all(os.path.exists(each) for each in parts):
                raise
            return b""  # the guest is removed at this moment
        return result.stdout[-CONSOLE_BYTES:]

    async def _root_disk(self, image: str, disk: str) -> None:
        if self._cow:
            await self._run(
                *("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M"),
                *("-b", image, "-F", "raw", disk),
            )
        else:
            await self._copy(image, disk)

    async def _grown(self, image: str, size: int) -> str:
        """The image, or a shared copy of it that was grown to C{size} bytes."""
        if os.stat(image).st_size >= size:
            return image
        grown = f"{image}+{size}"
        if not os.path.exists(grown):
            await self._growing.do(grown, lambda: self._grow(image, size, grown))
        return grown

    async def _grow(self, image: str, size: int, grown: str) -> str:
        part = grown + PART
        await self._copy(image, part)
        await self._run("truncate", "-s", str(size), part)
        # a disk with partitions has no file system of its own: it stays as it is
        checked = await self._runner.run(("e2fsck", "-fp", part), check=False, timeout=LONG)
        if checked.exit_code < 4:
            await self._runner.run(("resize2fs", part), check=False, timeout=LONG)
        await self._run("sync", part)
        await self._run("mv", "-T", part, grown)
        return grown

    async def _copy(self, source: str, target: str) -> None:
        await self._run("cp", "--sparse=always", "--reflink=auto", "-T", source, target)

    async def _run(self, *argv: str) -> None:
        await self._runner.run(argv, timeout=LONG)


def _fresh_directory(directory: str) -> None:
    """An empty directory that qemu's user may pass through but not list."""
    _remove(directory)
    os.makedirs(directory)
    os.chmod(directory, 0o711)


def _empty_files(spec: GuestSpec) -> None:
    """The second disk and the console log."""
    _make(os.path.join(spec.directory, CONSOLE), 0)
    if spec.local_gb:
        _make(os.path.join(spec.directory, LOCAL_DISK), spec.local_gb * 2**30)


def _end_rescue(spec: GuestSpec) -> None:
    rescue = (RESCUE_DISK, "libvirt.xml.rescue")
    _remove_files(*(os.path.join(spec.directory, each) for each in rescue))
    local = os.path.join(spec.directory, LOCAL_DISK)
    if spec.local_gb and not os.path.exists(local):
        _make(local, spec.local_gb * 2**30)


def _anew(path: str) -> None:
    _remove_files(path)
    _make(path, 0)


def _remove_files(*paths: str) -> None:
    for each in paths:
        if os.path.exists(each):
            os.unlink(each)


def _make(path: str, size: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.truncate(size)


def _remove(directory: str) -> None:
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        pass
