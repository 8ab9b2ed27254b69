"""Images as the objectstore of 2011 kept them: a directory each, with C{info.json} and C{image}."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from nova_tx.errors import InvalidInput


@dataclass(frozen=True)
class OldImage:
    """
    @ivar kind: machine, kernel or ramdisk.
    """

    id: str
    path: str
    kind: str
    owner: str
    is_public: bool
    architecture: str
    kernel_id: str | None
    ramdisk_id: str | None


def found(directory: str) -> Iterator[OldImage | str]:
    """
    What is in a directory, kernels and ramdisks first; for what can't be read, its path.

    @raise InvalidInput: there is no such directory.
    """
    try:
        names = sorted(os.listdir(directory))
    except OSError as error:
        raise InvalidInput(f"can't read {directory}: {error.strerror}") from None
    machines = []
    for name in names:
        path = os.path.join(directory, name)
        if not os.path.isdir(path):
            continue
        image = _read(name, path)
        if isinstance(image, OldImage) and image.kind == "machine":
            machines.append(image)
        else:
            yield image
    yield from machines


def _read(name: str, path: str) -> OldImage | str:
    told = os.path.join(path, "info.json")
    try:
        with open(told, encoding="utf-8") as file:
            said = json.load(file)
        return OldImage(
            id=str(said.get("imageId") or name),
            path=os.path.join(path, "image"),
            kind=str(said.get("imageType") or said.get("type") or "machine"),
            owner=str(said["imageOwnerId"]),
            is_public=bool(said.get("isPublic")),
            architecture=str(said.get("architecture") or "x86_64"),
            kernel_id=said.get("kernelId"),
            ramdisk_id=said.get("ramdiskId"),
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return told
