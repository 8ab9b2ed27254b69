"""Where a page of names ended, in a form that clients only hand back. Pure."""

from __future__ import annotations

import base64
import binascii
import zlib

from nova_tx.objectstore.faults import InvalidArgument

_NAME = "continuation-token"


def token_of(name: str) -> str:
    """The token of the page that begins after a name."""
    text = name.encode()
    return base64.urlsafe_b64encode(_sum(text) + text).decode()


def key_of(token: str) -> str:
    """
    The name after which a page begins.

    @raise InvalidArgument: the token is none that was given to anybody.
    """
    try:
        found = base64.b64decode(token, b"-_", validate=True)
        if found[:4] != _sum(found[4:]):
            raise ValueError
        return found[4:].decode()
    except (binascii.Error, ValueError):
        raise InvalidArgument(
            "The continuation token provided is incorrect", ArgumentName=_NAME, ArgumentValue=token
        ) from None


def _sum(text: bytes) -> bytes:
    return zlib.crc32(text).to_bytes(4, "big")
