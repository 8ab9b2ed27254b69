"""
What names and keys may look like, and new random keys.

An access key travels as C{access:project}, in headers whose parts are divided
by colons, commas, blanks and slashes: neither half may have one.
"""

from __future__ import annotations

import re
import uuid

from nova_tx.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9._@+][A-Za-z0-9._@+-]{0,254}\Z")
_SECRET = re.compile(r"[!-~]{1,255}\Z")
_LETTERS = "1 to 255 letters, digits and . _ @ + - (not first)"


def new_key() -> str:
    """A random access or secret key: the text of a uuid4, from the system's generator."""
    return str(uuid.uuid4())


def check_name(name: str, what: str) -> str:
    """
    The name of a user or a project.

    @param what: C{user} or C{project}, for the text of the error.
    @raise InvalidInput: it has characters that requests can't carry.
    """
    if _NAME.match(name) is None or set(name) == {"."}:
        raise InvalidInput(f"The name of a {what} is {_LETTERS}, not {name!r}")
    return name


def access_key(given: str | None) -> str:
    """
    The access key that was asked for, or a random one.

    @raise InvalidInput: it has characters that requests can't carry.
    """
    if given is None:
        return new_key()
    if not is_access_key(given):
        raise InvalidInput(f"An access key is {_LETTERS}")
    return given


def is_access_key(text: str) -> bool:
    """Whether somebody could have it as an access key."""
    return _NAME.match(text) is not None


def secret_key(given: str | None) -> str:
    """
    The secret key that was asked for, or a random one.

    @raise InvalidInput: it is empty, too long, or has blanks or other than ASCII.
    """
    if given is None:
        return new_key()
    if _SECRET.match(given) is None:
        raise InvalidInput("A secret key is 1 to 255 printable ASCII characters without blanks")
    return given
