"""
Identifiers as clients see them.                                       [spec/02 section 5]

Integers of the database and EC2's spelling of them, and random ones.
"""

from __future__ import annotations

import random
import re
import secrets
import string

from nova_tx.errors import KeyPairNotFound, MalformedImageId, MalformedInstanceId

_INSTANCE = re.compile(r"i-([0-9a-fA-F]{1,8})\Z")
_KEY_PAIR = re.compile(r"key-([0-9a-fA-F]{1,8})\Z")
_NUMBERED = re.compile(r"[a-z]+-([0-9a-fA-F]{1,8})\Z")
_IMAGE = re.compile(r"[a-z]{3}-[A-Za-z0-9._-]{1,64}\Z")
#: By which a daemon tells another on whose behalf it asks.
REQUEST_ID_HEADER = "x-nova-request-id"

_REQUEST_ID = re.compile(r"[A-Z0-9-]{20}\Z")
_LOWER = string.digits + string.ascii_lowercase
_REQUEST = string.ascii_uppercase + string.digits + "-"


def _random(alphabet: str, length: int) -> str:
    # the digits of a random number: one question to the kernel, not one for each character
    number = secrets.randbelow(len(alphabet) ** length)
    found = []
    for _ in range(length):
        number, digit = divmod(number, len(alphabet))
        found.append(alphabet[digit])
    return "".join(found)


def instance_ec2_id(instance_id: int) -> str:
    """10 is i-0000000a."""
    return f"i-{instance_id:08x}"


def parse_instance_id(ec2_id: str) -> int:
    """
    i-0000000a is 10.

    @raise MalformedInstanceId: it is not of that form, or no database id.
    """
    found = _INSTANCE.match(ec2_id)
    if found is None or int(found[1], 16) > 0x7FFFFFFF:
        raise MalformedInstanceId(f'Invalid id: "{ec2_id}" (expecting "i-...")')
    return int(found[1], 16)


def number_in(ec2_id: str) -> int | None:
    """key-0000000a has 10; None: it has no number that a row could have."""
    found = _NUMBERED.match(ec2_id)
    return int(found[1], 16) if found and int(found[1], 16) <= 0x7FFFFFFF else None


def volume_ec2_id(volume_id: int) -> str:
    """11 is vol-0000000b."""
    return f"vol-{volume_id:08x}"


def key_pair_ec2_id(key_pair_id: int) -> str:
    """12 is key-0000000c."""
    return f"key-{key_pair_id:08x}"


def parse_key_pair_id(ec2_id: str) -> int:
    """
    key-0000000c is 12.

    @raise KeyPairNotFound: it is not of that form, or no database id.
    """
    found = _KEY_PAIR.match(ec2_id)
    if found is None or int(found[1], 16) > 0x7FFFFFFF:
        raise KeyPairNotFound(f"The key pair ID '{ec2_id}' does not exist")
    return int(found[1], 16)


def new_reservation_id() -> str:
    """r- and eight characters of 0-9a-z."""
    return "r-" + _random(_LOWER, 8)


def new_image_id() -> str:
    """ami- and eight characters of 0-9a-z."""
    return "ami-" + _random(_LOWER, 8)


def check_image_id(image_id: str) -> str:
    """
    Three letters, a dash, then any text that is safe as a file name.

    Any such text is an id: the seed starts C{ami-ubuntu-lucid}.   [spec/14 I7]

    @raise MalformedImageId: it is not of that form.
    """
    if _IMAGE.match(image_id) is None:
        raise MalformedImageId(f'Invalid id: "{image_id}" (expecting "ami-...")')
    return image_id


def new_request_id() -> str:
    """Twenty characters of A-Z, 0-9 and '-'; no secret, so without asking the kernel each time."""
    return "".join(random.choices(_REQUEST, k=20))


def is_request_id(text: str) -> bool:
    """Whether a text has the form of a request's id."""
    return _REQUEST_ID.match(text) is not None


def new_mac() -> str:
    """A locally administered address 02:16:3e:xx:xx:xx, the first random byte below 0x80."""
    parts = (
        0x02,
        0x16,
        0x3E,
        secrets.randbelow(0x80),
        secrets.randbelow(256),
        secrets.randbelow(256),
    )
    return ":".join(f"{part:02x}" for part in parts)
