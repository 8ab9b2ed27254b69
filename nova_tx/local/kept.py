"""
Bundles that are kept until what is in them is registered, so that a second run goes on.

The key of a bundle is made up by chance, so another bundle of the same file has
other parts: only this one fits to those that are uploaded already.  Where it is
kept follows from all that makes it this one: the file's content, what it is
published as, and for whom.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nova_tx.local.places import locked

#: Seconds after which what nobody went on with is removed.
STALE = 7 * 86400.0
_MANIFEST = ".manifest.xml"
_PIECE = 2**20


class Kept:
    """
    What is known of the publication of one file.

    C{bundle/} is there when it is whole; C{id} when that is registered.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bundle = directory / "bundle"
        self._id = directory / "id"

    @property
    def begun(self) -> bool:
        """Whether an earlier run made the bundle."""
        return self._bundle.is_dir() or self.image_id is not None

    @property
    def image_id(self) -> str | None:
        """The image that it was registered as."""
        try:
            return self._id.read_text() or None
        except FileNotFoundError:
            return None

    def files(self, make: Callable[[str], object]) -> list[Path]:
        """
        The files of the bundle, its manifest last, made if they are not there.

        @param make: puts them into a directory.
        """
        if not self._bundle.is_dir():
            half = self._directory / "half"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(mode=0o700)
            make(str(half))
            half.rename(self._bundle)
        found = sorted(self._bundle.iterdir(), key=lambda path: path.name)
        return sorted(found, key=lambda path: path.name.endswith(_MANIFEST))

    def registered(self, image_id: str) -> None:
        """It is registered: the bundle is of no use any more, its id is until all is."""
        new = self._directory / "id.new"
        new.write_text(image_id)
        new.rename(self._id)
        shutil.rmtree(self._bundle, ignore_errors=True)

    def forget(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._directory, ignore_errors=True)


class Shelf:
    """A directory of what is kept."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """While in here, nobody else publishes from this directory; what is stale goes."""
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._path / "lock"):
            for each in self._path.iterdir():
                if each.is_dir() and each.stat().st_mtime + STALE < self._clock():
                    shutil.rmtree(each, ignore_errors=True)
            yield

    def of(self, path: Path, words: Sequence[str]) -> Kept:
        """
        What is kept of a file.

        @param words: all else that makes it this publication.
        """
        whole = json.dumps([_digest(path), *words]).encode()
        directory = self._path / hashlib.sha256(whole).hexdigest()[:32]
        directory.mkdir(mode=0o700, exist_ok=True)
        os.utime(directory)
        return Kept(directory)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
