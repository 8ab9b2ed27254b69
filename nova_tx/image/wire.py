"""An image as the objectstore's C{/_images} shows it, in Bexar's words.  [spec/04 section 3]"""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.model import Image

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
}
_OPTIONAL = frozenset(("state_reason", "kernel_id", "ramdisk_id", "description", "size"))


def to_wire(image: Image) -> dict[str, object]:
    """What JSON says of an image; what is None is left out."""
    found: dict[str, object] = {
        word: getattr(image, name)
        for name, word in _WORDS.items()
        if getattr(image, name) is not None
    }
    found["type"] = image.type
    return found


def from_wire(said: Mapping[str, object]) -> Image:
    """
    The image that JSON tells of.

    @raise ValueError: something is missing or of the wrong type.
    """
    values: dict[str, object] = {}
    for name, word in _WORDS.items():
        value = said.get(word)
        wanted = bool if name == "is_public" else int if name == "size" else str
        if not isinstance(value, wanted) and not (value is None and name in _OPTIONAL):
            raise ValueError(f"the image's {word} is {value!r}")
        values[name] = value
    return Image(**values)  # type: ignore[arg-type]
