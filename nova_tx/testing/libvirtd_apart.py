"""A libvirtd whose guests are in a network namespace of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nova_tx.local.libvirtd import PrivateLibvirtd


@contextmanager
def libvirtd_apart(directory: Path, bridge: str) -> Iterator[PrivateLibvirtd]:
    """
    It runs inside, with its guests and a bridge for them.

    @param directory: a short path: a socket is in it.
    """
    name = f"nova-apart-{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "add", bridge, "type", "bridge")
        _ip("-n", name, "link", "set", bridge, "up")
        libvirtd = PrivateLibvirtd(directory, ("nsenter", f"--net=/run/netns/{name}"))
        try:
            libvirtd.start()
            yield libvirtd
        finally:
            libvirtd.stop()
    finally:
        _ip("netns", "delete", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
