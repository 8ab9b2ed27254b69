"""
Names of buckets and keys, and the file names they become. Pure.

A key of any characters is cut into pieces of 64 bytes, each percent-encoded:
the last piece is a file C{=piece}, those before it are directories C{+piece}.
So two keys never meet in one file, and no key leads out of its bucket.  [spec/15 A12, W20]
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote_from_bytes, unquote_to_bytes

from nova_tx.objectstore.faults import InvalidBucketName, KeyTooLong

#: Bytes of the longest key.
LONGEST_KEY = 1024

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")
_PIECE = 64
_FILE, _DIRECTORY = "=", "+"


def check_bucket(name: str) -> str:
    """
    A letter or digit, then up to 254 letters, digits, dots, dashes and underscores.

    @raise InvalidBucketName: it is not of that form.
    """
    if _BUCKET.match(name) is None:
        raise InvalidBucketName("a bucket's name is made of letters, digits, '.', '-' and '_'")
    return name


def check_key(key: str) -> bytes:
    """
    The bytes of a key.

    @raise KeyTooLong: they are too many.
    """
    found = key.encode()
    if len(found) > LONGEST_KEY:
        raise KeyTooLong(f"a key has at most {LONGEST_KEY} bytes")
    return found


def path_of(key: bytes) -> tuple[str, ...]:
    """The directories of a key's file, and last the file."""
    pieces = [key[at : at + _PIECE] for at in range(0, len(key), _PIECE)]
    return (
        *(_DIRECTORY + quote_from_bytes(piece, safe="") for piece in pieces[:-1]),
        _FILE + quote_from_bytes(pieces[-1], safe=""),
    )


def entries(names: Iterable[str]) -> Iterator[tuple[bytes, bool, str]]:
    """What is in a directory, as (piece, is a directory, name), in the order of keys."""
    return iter(
        sorted(
            (unquote_to_bytes(name[1:]), name[0] == _DIRECTORY, name)
            for name in names
            if name[0] in (_FILE, _DIRECTORY)
        )
    )
