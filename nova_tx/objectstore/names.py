"""Names of buckets and keys. Pure."""

from __future__ import annotations

import re

from nova_tx.objectstore.faults import InvalidBucketName, KeyTooLong

#: Bytes of the longest key.
LONGEST_KEY = 1024

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")


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
