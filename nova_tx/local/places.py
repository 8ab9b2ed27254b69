"""
Where local tools keep what they make.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def checkout() -> Path:
    """The directory that holds C{scripts} and C{nova_tx}."""
    return Path(__file__).resolve().parents[2]


def cache_directory() -> Path:
    """What can be made again: C{$XDG_CACHE_HOME/nova_tx}, else C{.cache} in the checkout."""
    xdg = os.environ.get("XDG_CACHE_HOME")
    path = Path(xdg, "nova_tx") if xdg else checkout() / ".cache"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """While in here, nobody else is, on this machine."""
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
