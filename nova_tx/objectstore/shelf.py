"""Where the files of images are: a directory for each, which is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil

from twisted.internet.defer import DeferredLock

from nova_tx.ids import check_image_id
from nova_tx.objectstore.disk.files import sync_directory

_WORK = ".new"


class Shelf:
    """
    The directory C{images_path}.

    @ivar changing: held by who puts a file there, or takes it away, by what its row says.
    """

    def __init__(self, path: str) -> None:
        """
        @param path: of image files; others may read it.
        """
        self._path = path
        self._work = os.path.join(path, _WORK)
        self.changing = DeferredLock()

    def prepare(self) -> None:
        """Remove what was left unfinished."""
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        shutil.rmtree(self._work, ignore_errors=True)
        os.makedirs(self._work, mode=0o700, exist_ok=True)

    def file(self, image_id: str) -> str:
        """Where an image's file is."""
        return os.path.join(self._path, check_image_id(image_id), "image")

    def scratch(self, image_id: str) -> str:
        """Where a registration has its files while it works on an image."""
        return os.path.join(self._work, check_image_id(image_id))

    def begin(self) -> str:
        """A new directory, for a file C{image} that is put in its place by L{place}."""
        directory = os.path.join(self._work, secrets.token_hex(16))
        os.mkdir(directory, 0o700)
        return directory

    def place(self, directory: str, image_id: str) -> None:
        """Give an image the file C{image} of a directory; but its name, it is on the disk."""
        os.chmod(os.path.join(directory, "image"), 0o600)
        sync_directory(directory)
        os.rename(directory, os.path.dirname(self.file(image_id)))
        sync_directory(self._path)

    def discard(self, image_id: str) -> None:
        """Remove an image's files."""
        for directory in (self.scratch(image_id), os.path.dirname(self.file(image_id))):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(directory)
