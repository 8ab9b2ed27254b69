"""Names of buckets and keys. Pure."""

from __future__ import annotations

import re

from nova_tx.objectstore.faults import InvalidBucketName, KeyTooLong

#: Bytes of the longest key.
LONGEST_KEY = 1024

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}\Z")
_NEW_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ADDRESS = re.compile(r"[0-9]+(\.[0-9]+){3}\Z")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket(name: str) -> str:
    """
    A letter or digit, then up to 254 letters, digits, dots, dashes and underscores.

    @raise InvalidBucketName: it is not of that form.
    """
    if _BUCKET.match(name) is None:
        raise InvalidBucketName("a bucket's name is made of letters, digits, '.', '-' and '_'")
    return name


def check_new_bucket(name: str) -> None:
    """
    The rules of today for a bucket that is to be made.               [S3: bucket naming rules]

    @raise InvalidBucketName: it can't be called so.
    """
    if (
        _NEW_BUCKET.match(name) is None
        or ".." in name
        or _ADDRESS.match(name)
        or name.startswith(_RESERVED_STARTS)
        or name.endswith(_RESERVED_ENDS)
    ):
        raise InvalidBucketName("The specified bucket is not valid.")


def check_key(key: str) -> bytes:
    """
    The bytes of a key.

    @raise KeyTooLong: they are too many.
    """
    found = key.encode()
    if len(found) > LONGEST_KEY:
        raise KeyTooLong("Your key is too long", Size=len(found), MaxSizeAllowed=LONGEST_KEY)
    return found
