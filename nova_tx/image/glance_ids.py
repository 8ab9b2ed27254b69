"""
EC2's ids of images and Glance's: each tells the other, and nothing has to be written down.

Glance lets who makes an image choose its UUID.  So an id of ours, three letters
and eight characters, is a UUID of a form of its own; and an image that was made
in Glance is C{ami-} and the digits of its UUID.  A property on the image could
be given to two of them, or taken from another's.
"""

from __future__ import annotations

import re
from uuid import UUID

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_OURS = re.compile(r"([a-z]{3})-([0-9a-z]{8})\Z")
_THEIRS = re.compile(r"ami-([0-9a-f]{32})\Z")
#: "novatx", a random UUID by its form, and eleven characters as a number.
_UUID = re.compile(r"6e6f7661-7478-4([0-9a-f]{3})-8([0-9a-f]{3})-([0-9a-f]{12})\Z")


def to_uuid(image_id: str) -> str | None:
    """Glance's id of an image; None if an image of that id can't be in Glance."""
    if ours := _OURS.match(image_id):
        digits = f"{int(ours[1] + ours[2], 36):018x}"
        return f"6e6f7661-7478-4{digits[:3]}-8{digits[3:6]}-{digits[6:]}"
    if theirs := _THEIRS.match(image_id):
        found = str(UUID(theirs[1]))
        return found if from_uuid(found) == image_id else None
    return None


def from_uuid(uuid: str) -> str:
    """
    EC2's id of an image.

    @raise ValueError: it is no UUID.
    """
    uuid = str(UUID(uuid))
    if ours := _UUID.match(uuid):
        text = _base36(int(ours[1] + ours[2] + ours[3], 16))
        if _OURS.match(found := f"{text[:3]}-{text[3:]}"):
            return found
    return f"ami-{uuid.replace('-', '')}"


def _base36(number: int) -> str:
    found = ""
    for _ in range(11):
        number, digit = divmod(number, 36)
        found = _LETTERS[digit] + found
    return found if not number else ""
