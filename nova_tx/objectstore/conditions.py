"""Conditions and ranges of a GET. Pure.                              [RFC 9110 sections 13, 14]"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidRange, PreconditionFailed

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


def http_date(seconds: float) -> str:
    """A time as HTTP writes it."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def _seconds(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _names(condition: str, etag: str) -> bool:
    tags = [each.strip().removeprefix("W/").strip('"') for each in condition.split(",")]
    return "*" in tags or etag in tags


def is_unchanged(headers: dict[str, str], facts: Facts) -> bool:
    """
    Whether the client has this object already.

    @raise PreconditionFailed: the client does not want it as it is.
    """
    modified = int(facts.modified)
    if "if-match" in headers:
        if not _names(headers["if-match"], facts.etag):
            raise PreconditionFailed("the object's ETag is another one")
    else:
        since = _seconds(headers.get("if-unmodified-since", ""))
        if since is not None and modified > since:
            raise PreconditionFailed("the object was modified since")
    if "if-none-match" in headers:
        return _names(headers["if-none-match"], facts.etag)
    since = _seconds(headers.get("if-modified-since", ""))
    return since is not None and modified <= since


def part(text: str | None, size: int) -> tuple[int, int] | None:
    """
    The first byte and the count that a Range header asks for.

    None is all of it: no range, several ranges, or nothing that can be read.

    @raise InvalidRange: none of these bytes exist.
    """
    found = _RANGE.match((text or "").replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return None
    if not found[1]:
        count = min(int(found[2]), size)
        first = size - count
    else:
        first = int(found[1])
        last = min(int(found[2]) if found[2] else size - 1, size - 1)
        if found[2] and int(found[2]) < first:
            return None
        count = last - first + 1
    if count <= 0:
        raise InvalidRange(f"the object has {size} bytes")
    return first, count
