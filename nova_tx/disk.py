"""What the disk is told, so that it is true after a power failure, too."""

from __future__ import annotations

import os


def sync_directory(path: str) -> None:
    """Have a directory's names safe on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
