"""
What this machine can do for a cloud: run guests, and how.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from nova_tx.local import guest_image
from nova_tx.local.places import cache_directory
from nova_tx.local.terminal import LocalError, Say

_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
#: Seconds in which a guest under a KVM that works has long begun its first program.
PATIENCE = 10.0
_BEGUN = b"Run /init"


def qemu() -> str | None:
    """The program that runs guests of this machine's kind."""
    names = {"x86_64": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}
    return shutil.which(names.get(platform.machine(), "qemu-system-none"), path=_PATH)


def choose_virt(say: Say) -> str:
    """
    How guests are run if nobody says: C{kvm} if one really boots so, else
    C{qemu}, else C{fake}; says why.
    """
    program = qemu()
    if program is None or shutil.which("libvirtd", path=_PATH) is None:
        say(
            "NO LIBVIRT HERE: the guests of this cloud are FAKE; nothing boots, nothing can be "
            "logged in to. For real ones install libvirt-daemon-system and qemu-system."
        )
        return "fake"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        say("no KVM here: guests run under plain QEMU")
        return "qemu"
    try:
        works = _kvm_works(program, say)
    except LocalError as reason:
        say(f"whether KVM works can't be tried ({reason}); guests run under plain QEMU")
        return "qemu"
    if not works:
        say("a guest does not start under this machine's KVM: guests run under plain QEMU")
    return "kvm" if works else "qemu"


def _kvm_works(program: str, say: Say) -> bool:
    facts = (platform.release(), os.stat("/dev/kvm").st_ctime, os.stat(program).st_mtime)
    known = cache_directory() / f"kvm-{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"
    if known.exists():
        return known.read_text() == "yes"
    say("trying whether a guest starts under KVM")
    with tempfile.TemporaryDirectory(prefix="nova-kvm-") as directory:
        kernel, ramdisk, _ = guest_image.unpack(guest_image.build(say=say), Path(directory))
        works = starts([program, "-accel", "kvm"], kernel, ramdisk, PATIENCE)
    known.write_text("yes" if works else "no")
    return works


def starts(qemu_argv: list[str], kernel: Path, ramdisk: Path, patience: float) -> bool:
    """Whether a kernel gets as far as its first program."""
    console = "ttyAMA0" if platform.machine() == "aarch64" else "ttyS0"
    machine = ["-machine", "virt"] if platform.machine() == "aarch64" else []
    argv = [*qemu_argv, *machine, "-m", "256", "-nodefaults", "-display", "none"]
    argv += ["-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(ramdisk)]
    argv += ["-append", f"console={console}"]
    seen = b""
    deadline = time.monotonic() + patience
    guest = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert guest.stdout is not None
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(guest.stdout, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0 and _BEGUN not in seen:
                if selector.select(left):
                    block = os.read(guest.stdout.fileno(), 4096)
                    if not block:
                        break
                    seen += block
    finally:
        guest.kill()
        guest.wait()
        guest.stdout.close()
    return _BEGUN in seen


def routes() -> list[str]:
    """Destinations of this host's routes."""
    argv = ["ip", "-json", "-4", "route", "show", "table", "all"]
    try:
        done = subprocess.run(argv, capture_output=True, env={**os.environ, "PATH": _PATH})
    except FileNotFoundError:
        return []
    return [route.get("dst", "") for route in json.loads(done.stdout or b"[]")]


def check_ports(ports: Mapping[str, int]) -> None:
    """
    @raise LocalError: someone listens on one of them.
    """
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise LocalError(
                    f"Port {port}, wanted for {name}, is taken; another --port-base helps."
                ) from None
