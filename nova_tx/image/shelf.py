"""Where the files of images are: a directory for each, which is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil

from nova_tx.ids import check_image_id


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

    def discard(self, image_id: str) -> None:
        """Remove an image's file."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(os.path.dirname(self.file(image_id)))
