"""
Directories that keys became: which keys there are below one, and those that are empty.

A page of a thousand costs a look at the names, and for each key one file that is opened and whose
end is read: nothing else is asked of the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from nova_tx.objectstore.disk.files import changed_facts, kept_of
from nova_tx.objectstore.disk.paths import beside, entries
from nova_tx.objectstore.facts import Facts


class Entry(NamedTuple):
    """
    A key, and where it is.

    @ivar path: of its file.
    @ivar changes: of the file with what was changed of its object, or "".
    """

    key: bytes
    path: str
    changes: str

    def facts(self) -> Facts:
        """
        What is known of its object.

        @raise FileNotFoundError: it was removed meanwhile.
        @raise ValueError, TypeError, KeyError: it is damaged.
        """
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            found = kept_of(descriptor).facts
        finally:
            os.close(descriptor)
        if self.changes:
            try:
                with open(self.changes, "rb") as file:
                    return changed_facts(found, file.read())
            except FileNotFoundError:  # it was replaced meanwhile
                pass
        return found


def below(
    directory: str, prefix: bytes = b"", after: bytes = b"", above: bytes = b""
) -> Iterator[Entry]:
    """
    What is below a directory, in the order of the keys' bytes.

    @param prefix: what they begin with.
    @param after: what they come after.
    @param above: what of them is in the names of the directories above.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    there = set(names)
    for piece, is_directory, name in entries(names):
        key = above + piece
        if is_directory:
            aside = not key.startswith(prefix[: len(key)])
            if not aside and key >= after[: len(key)]:
                yield from below(f"{directory}/{name}", prefix, after, key)
        elif key > after and key.startswith(prefix):
            other = beside(name)
            changes = f"{directory}/{other}" if other in there else ""
            yield Entry(key, f"{directory}/{name}", changes)


def prune(directory: str, top: str) -> str:
    """Remove a directory and those above it if they are empty; returns the one that is not."""
    while directory != top:
        try:
            os.rmdir(directory)
        except OSError:
            break
        directory = os.path.dirname(directory)
    return directory
