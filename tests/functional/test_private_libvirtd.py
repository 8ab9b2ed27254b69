"""
A libvirtd in a directory: beside the machine's, with guests that outlive it until it is stopped.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.local import guest_image, processes
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.local.terminal import LocalError

_DOMAIN = """\
<domain type='qemu'><name>lonely</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
<os><type>hvm</type><kernel>{kernel}</kernel></os><devices/></domain>
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a path short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="lv-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def libvirtd(place: Path) -> Iterator[PrivateLibvirtd]:
    """A libvirtd that answers, and is stopped."""
    made = PrivateLibvirtd(place / "a")
    made.start()
    try:
        yield made
    finally:
        made.stop()


def virsh(libvirtd: PrivateLibvirtd, *words: str) -> str:
    """What virsh says of a libvirtd."""
    argv = ["virsh", "-q", "-c", libvirtd.uri, *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def start_guest(libvirtd: PrivateLibvirtd) -> int:
    """Start a guest; returns its process id."""
    kernel, _, _ = guest_image.unpack(guest_image.build(), libvirtd.directory / "image")
    domain = libvirtd.directory / "domain.xml"
    domain.write_text(_DOMAIN.format(kernel=kernel))
    virsh(libvirtd, "create", str(domain))
    return libvirtd.guests()["lonely"]


def test_a_guest_outlives_it_and_is_found_again(libvirtd: PrivateLibvirtd) -> None:
    """After kill -9 of libvirtd its guest runs on, and the next one in the directory has it."""
    guest = start_guest(libvirtd)
    first = processes.running(libvirtd.record)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while processes.running(libvirtd.record) is not None:
        assert time.monotonic() < deadline
    assert libvirtd.guests() == {"lonely": guest}
    libvirtd.start()
    assert virsh(libvirtd, "domstate", "lonely").strip() == "running"


def test_stop_ends_its_guests_and_may_be_repeated(libvirtd: PrivateLibvirtd) -> None:
    """After stop neither libvirtd nor guest is there, nor a mount of either."""
    guest = start_guest(libvirtd)
    libvirtd.stop()
    assert processes.started(guest) is None
    assert processes.running(libvirtd.record) is None
    assert libvirtd.guests() == {}
    assert str(libvirtd.directory) not in Path("/proc/mounts").read_text()
    libvirtd.stop()


def test_two_do_not_see_each_other(libvirtd: PrivateLibvirtd, place: Path) -> None:
    """The guest of one is not the other's, and stopping one leaves the other's guest."""
    guest = start_guest(libvirtd)
    other = PrivateLibvirtd(place / "b")
    try:
        other.start()
        assert virsh(other, "list", "--name").strip() == ""
    finally:
        other.stop()
    assert libvirtd.guests() == {"lonely": guest}


def test_starting_it_twice_leaves_the_first(libvirtd: PrivateLibvirtd) -> None:
    """A libvirtd that runs is not started again."""
    first = processes.running(libvirtd.record)
    assert libvirtd.start() == libvirtd.uri
    assert processes.running(libvirtd.record) == first


def test_a_path_too_long_for_a_socket_is_told(place: Path) -> None:
    """A directory whose socket could not be reached is refused before anything is started."""
    with pytest.raises(LocalError, match="too long"):
        PrivateLibvirtd(place / ("x" * 100)).start()
    with pytest.raises(LocalError, match="below /run"):
        PrivateLibvirtd(Path("/run/nova-cloud")).start()
    assert not Path("/run/nova-cloud").exists()
