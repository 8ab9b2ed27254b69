"""How Nova's client of 2011 says nothing, and lists of names.       [nova-adminclient 0.1.8]"""

from __future__ import annotations

import re

from nova_tx.auth import keys
from nova_tx.errors import InvalidInput

_PRINTED = re.compile(r"\[(.*)\]\Z", re.DOTALL)
_QUOTED = re.compile(r"""u?(['"])(.*)\1\Z""", re.DOTALL)


def said(value: str | None) -> str | None:
    """What an optional parameter says: C{None} is how Python prints nothing."""
    return None if value == "None" else value


def names(value: str) -> tuple[str, ...]:
    """
    Names of users: one, or a list as Python prints it.

    @raise InvalidInput: one is none that a user can have.
    """
    if said(value) is None:
        return ()
    printed = _PRINTED.match(value)
    if printed is None:
        return (keys.check_name(value, "user"),)
    words = [word.strip() for word in printed[1].split(",") if word.strip()]
    return tuple(keys.check_name(_QUOTED.sub(r"\2", word), "user") for word in words)


def adding(value: str) -> bool:
    """
    Whether an operation is C{add}; else it is C{remove}.

    @raise InvalidInput: it is neither.
    """
    if value not in ("add", "remove"):
        raise InvalidInput("operation must be add or remove")
    return value == "add"
