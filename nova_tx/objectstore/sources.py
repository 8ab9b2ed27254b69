"""What is copied: another object of this store, as the headers of a request name it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from nova_tx.objectstore.access import found
from nova_tx.objectstore.action import Asked
from nova_tx.objectstore.conditions import is_unchanged
from nova_tx.objectstore.faults import (
    AccessDenied,
    InvalidArgument,
    InvalidRequest,
    NotImplementedHere,
    PreconditionFailed,
)
from nova_tx.objectstore.interfaces import IFound, IStore
from nova_tx.objectstore.versions import VERSION, check_version

SOURCE = "x-amz-copy-source"
#: Bytes that can be copied at once.
MOST_COPIED = 5 * 2**30
_CONDITION = f"{SOURCE}-if-"
_OWNER = "x-amz-source-expected-bucket-owner"
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})\Z")


def source_of(headers: Mapping[str, str]) -> tuple[str, str]:
    """
    Bucket and key of what is copied.

    @raise InvalidArgument: they are not named, or with a version that is not there.
    @raise NotImplementedHere: it is named by what we have not.
    """
    named, asked, version = headers[SOURCE].partition(f"?{VERSION}=")
    check_version(version if asked else None)
    if named.startswith("arn:"):
        raise NotImplementedHere("there are no access points to copy from")
    try:
        text = unquote_to_bytes(named.encode("utf-8", "surrogateescape")).decode()
    except ValueError:
        raise InvalidArgument(f"{SOURCE} is not UTF-8") from None
    bucket, _, key = text.removeprefix("/").partition("/")
    if not (bucket and key):
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )
    return bucket, key


async def source(store: IStore, asked: Asked) -> IFound:
    """
    What a request copies, if the caller may read it and it is as the request says; to be closed.

    @raise BucketNotFound, KeyNotFound, AccessDenied: there is none that the caller may read, or
        its bucket is another's than the request says.
    @raise PreconditionFailed: it is another one.
    @raise InvalidArgument, NotImplementedHere: by L{source_of}.
    """
    headers = asked.call.headers
    bucket, there = await found(store, asked.caller, *source_of(headers))
    try:
        if headers.get(_OWNER, bucket.owner) != bucket.owner:
            raise AccessDenied("Access Denied")
        conditions = {
            name.removeprefix(f"{SOURCE}-"): value
            for name, value in headers.items()
            if name.startswith(_CONDITION)
        }
        if is_unchanged(conditions, there.facts):
            raise PreconditionFailed("what is to be copied is as the client has it already")
    except BaseException:
        there.close()
        raise
    return there


def copied_range(headers: Mapping[str, str], size: int) -> tuple[int, int]:
    """
    The first byte and the count of what is copied as a part.

    @param size: of the object that is copied.
    @raise InvalidArgument: they are not bytes of it.
    @raise InvalidRequest: they are more than a part may have.
    """
    text = headers.get(f"{SOURCE}-range")
    first, count = 0, size
    if text is not None:
        asked = _RANGE.match(text)
        if asked is None:
            raise InvalidArgument(
                f"The {SOURCE}-range value must be of the form bytes=first-last where first and "
                "last are the zero-based offsets of the first and last bytes to copy"
            )
        first, last = int(asked[1]), int(asked[2])
        if not first <= last < size:
            raise InvalidArgument(f"Range specified is not valid for source object of size: {size}")
        count = last - first + 1
    check_size(count)
    return first, count


def check_size(count: int) -> None:
    """
    See that so many bytes can be copied at once.

    @raise InvalidRequest: they are too many.
    """
    if count > MOST_COPIED:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for a copy "
            f"source: {MOST_COPIED}"
        )
