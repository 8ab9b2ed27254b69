"""
What names and keys may look like, and new random keys.

An access key travels as C{access:project}, in headers whose parts are divided
by colons, commas, blanks and slashes: neither half may have one.
"""

from __future__ import annotations

import re
import uuid

from nova_tx.errors import InvalidInput
from nova_tx.model.users import User

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


def new_user(
    user_id: str, given_access: str | None, given_secret: str | None, is_admin: bool
) -> User:
    """
    A user who is to be made; keys that are not given are random.

    @raise InvalidInput: the name or a key is none.
    """
    check_name(user_id, "user")
    return User(user_id, access_key(given_access), secret_key(given_secret), is_admin)


def changed(given_access: str | None, given_secret: str | None) -> tuple[str | None, str | None]:
    """
    The keys that a user is to have from now on; None stays None, as it was.

    @raise InvalidInput: one that is given is none.
    """
    return (
        None if given_access is None else access_key(given_access),
        None if given_secret is None else secret_key(given_secret),
    )
