"""An image as the objectstore's C{/_images} shows it, in Bexar's words.  [spec/04 section 3]"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from nova_tx.model.images import Image, ImageChange, NewImage

_WORDS = {
    "id": "imageId",
    "location": "imageLocation",
    "owner": "imageOwnerId",
    "is_public": "isPublic",
    "architecture": "architecture",
    "type": "imageType",
    "state": "imageState",
    "state_reason": "imageStateReason",
    "kernel_id": "kernelId",
    "ramdisk_id": "ramdiskId",
    "display_name": "displayName",
    "description": "description",
    "size": "size",
    "instance_id": "instanceId",
    "created_at": "createdAt",
    "launch_projects": "launchProjects",
    "progress": "progress",
}
_OPTIONAL = frozenset(
    (
        *("state_reason", "kernel_id", "ramdisk_id", "description", "size"),
        *("instance_id", "created_at", "launch_projects", "progress"),
    )
)
_KINDS: dict[str, type] = {
    "is_public": bool,
    "size": int,
    "instance_id": int,
    "progress": int,
    "launch_projects": list,
}


def to_wire(image: Image) -> dict[str, object]:
    """What JSON says of an image; what is None is left out."""
    found: dict[str, object] = {
        word: getattr(image, name)
        for name, word in _WORDS.items()
        if getattr(image, name) not in (None, ())
    }
    found["type"] = image.type
    if image.created_at is not None:
        found["createdAt"] = image.created_at.isoformat()
    return found


def from_wire(said: Mapping[str, object]) -> Image:
    """
    The image that JSON tells of.

    @raise ValueError: something is missing or of the wrong type.
    """
    values: dict[str, object] = {}
    for name, word in _WORDS.items():
        value = said.get(word)
        if not isinstance(value, _KINDS.get(name, str)) and not (
            value is None and name in _OPTIONAL
        ):
            raise ValueError(f"the image's {word} is {value!r}")
        values[name] = value
    created, projects = said.get("createdAt"), said.get("launchProjects") or ()
    values["created_at"] = datetime.fromisoformat(str(created)) if created else None
    values["launch_projects"] = tuple(str(each) for each in projects)  # type: ignore[attr-defined]
    return Image(**values)  # type: ignore[arg-type]


#: What a registration says in its query.
_NEW = {
    "location": "image_location",
    "name": "display_name",
    "description": "description",
    "architecture": "architecture",
    "kernel_id": "kernel_id",
    "ramdisk_id": "ramdisk_id",
}


def new_to_wire(new: NewImage) -> list[tuple[str, str]]:
    """What a query says of an image that is to be registered; what is left open is left out."""
    found = [(word, getattr(new, name)) for name, word in _NEW.items()]
    return [(word, value) for word, value in found if value]


def new_from_wire(query: Mapping[str, str]) -> NewImage:
    """The image that a query asks to have registered."""
    said: dict[str, Any] = {name: query[word] for name, word in _NEW.items() if query.get(word)}
    return NewImage(**{"location": "", **said})


def tags_to_wire(tags: Iterable[tuple[str, str]]) -> bytes:
    """The body that says which tags a new image is to have; empty for none."""
    found = dict(tags)
    return json.dumps({"tags": found}, ensure_ascii=False).encode() if found else b""


def tags_from_wire(body: bytes) -> dict[str, str]:
    """
    The tags that a body says a new image is to have.

    @raise ValueError: it is not of that form.
    """
    found = _said(body)["tags"] if body else {}
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ValueError("tags are texts by their keys")
    return found


_CHANGES: dict[str, tuple[str, type]] = {
    "display_name": ("displayName", str),
    "description": ("description", str),
    "is_public": ("isPublic", bool),
    "add": ("addLaunchProjects", list),
    "remove": ("removeLaunchProjects", list),
    "reset": ("reset", bool),
}


def change_to_wire(wanted: ImageChange) -> dict[str, object]:
    """What JSON says of a change; what stays as it is is left out."""
    return {
        word: getattr(wanted, name)
        for name, (word, _) in _CHANGES.items()
        if getattr(wanted, name) not in (None, ())
    }


def change_from_wire(body: bytes) -> ImageChange:
    """
    The change that a body tells of.

    @raise ValueError: it is no JSON, or something in it is of the wrong type.
    """
    said = _said(body)
    if not isinstance(said, dict):
        raise ValueError("the change is no object")
    values: dict[str, Any] = {}
    for name, (word, wanted) in _CHANGES.items():
        value = said.get(word)
        if value is None:
            continue
        texts = value if isinstance(value, list) else ()
        if not isinstance(value, wanted) or not all(isinstance(each, str) for each in texts):
            raise ValueError(f"{word} is {value!r}")
        values[name] = tuple(texts) if wanted is list else value
    return ImageChange(**values)


def _said(body: bytes) -> Any:
    """
    What JSON says.

    @raise ValueError: it is none, too deep to be read, or has a text that nobody can write.
    """
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is too deep") from None
    return found
