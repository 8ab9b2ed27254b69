"""Where the files of images are made, and put in their places."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from threading import Lock

from nova_tx.disk import sync_directory
from nova_tx.ids import check_image_id
from nova_tx.image.shelf import WORK, ImageFiles
from nova_tx.objectstore.claims import Claims
from nova_tx.objectstore.disk.sharing import Alone, SharedLock, TurnLock, Workspace
from nova_tx.objectstore.threads import IPool

_CLAIMS, _LOCK, _TURNS = ".claims", ".lock", ".turns"


class Shelf(ImageFiles):
    """
    The directory C{images_path}, of who registers images.

    @ivar changing: held by who puts a file there, or takes it away, by what its row says.
    @ivar claims: of those who make an image's file, or remove it with its row.
    """

    def __init__(self, path: str, pool: IPool, shared: bool = False) -> None:
        """
        @param path: of image files; others may read it.
        @param pool: where others are waited for.
        @param shared: other processes write there, too, and know it.
        """
        super().__init__(path)
        self._space = Workspace(os.path.join(path, WORK), shared)
        self._work = self._space.path
        lock = os.path.join(path, _LOCK)
        self._alone: Alone = SharedLock(lock) if shared else Lock()
        self.changing = TurnLock(os.path.join(path, _TURNS) if shared else None, pool)
        self.claims = Claims(os.path.join(path, _CLAIMS) if shared else None)

    def prepare(self) -> None:
        """Remove what those who are dead left unfinished."""
        os.makedirs(self._path, mode=0o700, exist_ok=True)
        _ = self._space.prepare(self._alone)

    def close(self) -> None:
        """Nothing more is done there."""
        self._space.close()
        if isinstance(self._alone, SharedLock):
            self._alone.close()

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
        """Remove an image's files, also those of a registration."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.scratch(image_id))
        super().discard(image_id)
