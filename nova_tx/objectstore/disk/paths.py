"""
The file names that keys become. Pure.

A key of any characters is cut into pieces of 64 bytes, each percent-encoded:
the last piece is a file C{=piece}, those before it are directories C{+piece}.
So two keys never meet in one file, and no key leads out of its bucket.  [spec/15 A12, W20]
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote_from_bytes, unquote_to_bytes

_PIECE = 64
_FILE, _DIRECTORY = "=", "+"
#: Beside a file: what was changed of the object since it came.
_BESIDE = "~"


def path_of(key: bytes) -> tuple[str, ...]:
    """The directories of a key's file, and last the file."""
    pieces = [key[at : at + _PIECE] for at in range(0, len(key), _PIECE)]
    return (
        *(_DIRECTORY + quote_from_bytes(piece, safe="") for piece in pieces[:-1]),
        _FILE + quote_from_bytes(pieces[-1], safe=""),
    )


def key_of(names: Iterable[str]) -> bytes | None:
    """The key of a file, by the names of its directories and its own; None if it is no key's."""
    names = tuple(names)
    key = b"".join(unquote_to_bytes(name[1:]) for name in names)
    return key if key and path_of(key) == names else None


def entries(names: Iterable[str]) -> list[tuple[bytes, bool, str]]:
    """What is in a directory, as (piece, is a directory, name), in the order of keys."""
    return sorted(
        (_piece(name), name[0] == _DIRECTORY, name)
        for name in names
        if name[0] in (_FILE, _DIRECTORY)
    )


def _piece(name: str) -> bytes:
    # a slash is what most keys have of what is encoded, and many have nothing else
    text = name[1:].replace("%2F", "/")
    return unquote_to_bytes(text) if "%" in text else text.encode()


def beside(file: str) -> str:
    """The name of the file with what was changed of an object, by the object's file's."""
    return _BESIDE + file[1:]
