"""
Where local tools keep what they make.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from nova_tx import installed
from nova_tx.ownership import give


def cache_directory() -> Path:
    """
    What can be made again: C{$XDG_CACHE_HOME/nova_tx}, else C{.cache} in the checkout.

    Without a checkout: C{~/.cache/nova_tx}.
    """
    xdg = os.environ.get("XDG_CACHE_HOME")
    path = Path(xdg, "nova_tx") if xdg else _cache()
    if not path.exists():
        path.mkdir(parents=True, exist_ok=True)
        # made by sudo, it must not be in its owner's way later
        give(str(path), str(path.parent))
    return path


def _cache() -> Path:
    if installed.in_checkout():
        return Path(installed.base(), ".cache")
    return Path.home() / ".cache" / "nova_tx"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """While in here, nobody else is, on this machine."""
    lock = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
