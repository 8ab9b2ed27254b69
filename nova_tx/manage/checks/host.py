"""What this host has for a cloud: directories with room, ports, an address, the time."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import socket
from collections.abc import Iterator, Sequence

from nova_tx.manage.checks.finding import OK, WARNING, WRONG, Finding

#: Bytes below which a disk is as good as full: an image, or a guest's disk, is more.
ROOM = 2 * 2**30

_TIME_ERROR = 5


def disks(paths: Sequence[str], room: int = ROOM) -> Iterator[Finding]:
    """Whether directories can be made and written, and how much room they have."""
    for path in dict.fromkeys(map(os.path.abspath, paths)):
        there = path
        while not os.path.exists(there):
            there = os.path.dirname(there)
        if not os.path.isdir(there):
            advice = f"move it away: {path} is to be"
            yield Finding(WRONG, "disk", f"{there} is no directory", advice)
        elif not os.access(there, os.W_OK | os.X_OK):
            text = f"{there} is not writable for this user"
            yield Finding(WRONG, "disk", text, "run daemons as its owner, or chown it")
        elif (free := shutil.disk_usage(there).free) < room:
            text = f"{path}: {free // 2**20} MB are free"
            yield Finding(WARNING, "disk", text, "make room")
        else:
            yield Finding(OK, "disk", f"{path}: {free // 2**30} GB are free")


def address(my_ip: str) -> Finding:
    """Whether C{my_ip} is an address of this host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((my_ip, 0))
        except OSError as error:
            text = f"--my_ip={my_ip} is no address of this host: {error.strerror or error}"
            return Finding(WRONG, "address", text, "ip address shows those there are")
    return Finding(OK, "address", f"--my_ip={my_ip} is an address of this host")


def port(name: str, host: str, number: int) -> Finding:
    """Whether a daemon can listen on a port, or one of ours does."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
            return Finding(OK, "ports", f"--{name}={number} is free")
        except OSError as error:
            if error.errno == errno.EACCES:
                text = f"--{name}={number} is for root only"
                return Finding(WRONG, "ports", text, "choose one above 1023")
            if error.errno != errno.EADDRINUSE:
                text = f"--{name}: nobody can listen on {host}:{number}: {error.strerror}"
                return Finding(WRONG, "ports", text, "correct the address")
    who = _holder(number)
    if who is None:
        text = f"--{name}={number} is taken, perhaps by a daemon of this cloud"
        return Finding(WARNING, "ports", text, "run this as root to know by which")
    pid, line = who
    if "nova" in line:
        return Finding(OK, "ports", f"--{name}={number} is served by process {pid}")
    text = f"--{name}={number} is taken by process {pid}: {line[:60]}"
    return Finding(WRONG, "ports", text, f"end it, or choose another --{name}")


def _holder(number: int) -> tuple[int, str] | None:
    """The process that listens on a port, and its command line, as far as we may know."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(f"/proc/net/{name}", encoding="ascii") as file:
            for line in list(file)[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == number:
                    inodes.add(f"socket:[{words[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                        with open(f"/proc/{pid}/cmdline", "rb") as file:
                            line = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
                        return int(pid), line.strip()
    return None


def clock() -> Finding:
    """Whether somebody keeps this host's clock right, by the kernel's word."""
    room = ctypes.create_string_buffer(512)  # struct timex; all zero: only asks
    state = ctypes.CDLL(None).adjtimex(room)
    if state == _TIME_ERROR:
        text = "nobody keeps this host's clock right"
        return Finding(WARNING, "clock", text, "install chrony, on every host")
    return Finding(OK, "clock", "is synchronised")
