"""Where the files of images are: a directory for each, which is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil

from nova_tx.disk import sync_directory
from nova_tx.errors import Unavailable
from nova_tx.ids import check_image_id

#: What is there of files that are not there yet.
WORK = ".new"


class ImageFiles:
    """The directory C{images_path}."""

    def __init__(self, path: str) -> None:
        """
        @param path: of image files; others may read it.
        """
        self._path = path

    def file(self, image_id: str) -> str:
        """Where an image's file is."""
        return os.path.join(self._path, check_image_id(image_id), "image")

    def part(self, image_id: str) -> str:
        """Where an image's file is while it is brought, and locked."""
        work = os.path.join(self._path, WORK)
        os.makedirs(work, mode=0o700, exist_ok=True)
        return os.path.join(work, f"{check_image_id(image_id)}.part")

    def name(self, part: str, image_id: str) -> int:
        """
        Give an image what is at L{part}, if it has no file; returns the size of what it has.

        @raise Unavailable: something was removed meanwhile; the row will say why.
        """
        file = self.file(image_id)
        directory = os.path.dirname(file)
        try:
            os.makedirs(directory, 0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):  # whose row was not told
                os.link(part, file)
            sync_directory(directory)
            sync_directory(self._path)
            return os.stat(file).st_size
        except FileNotFoundError:
            raise Unavailable(f"image {image_id} is just being removed") from None

    def discard(self, image_id: str) -> None:
        """Remove an image's file."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(os.path.dirname(self.file(image_id)))
