"""
Directories that keys became: which keys there are below one, and those that are empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from nova_tx.objectstore.disk.paths import entries


def keys(directory: str, above: bytes, prefix: bytes, after: bytes) -> Iterator[bytes]:
    """Keys of what is below a directory, in order of their bytes."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    for piece, is_directory, name in entries(names):
        key = above + piece
        if is_directory:
            beside = not key.startswith(prefix[: len(key)])
            if not beside and key >= after[: len(key)]:
                yield from keys(os.path.join(directory, name), key, prefix, after)
        elif key.startswith(prefix) and key > after:
            yield key


def prune(directory: str, top: str) -> str:
    """Remove a directory and those above it if they are empty; returns the one that is not."""
    while directory != top:
        try:
            os.rmdir(directory)
        except OSError:
            break
        directory = os.path.dirname(directory)
    return directory
