"""Conditions and ranges of a GET. Pure.                              [RFC 9110 sections 13, 14]"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidRange, PreconditionFailed

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})\Z")


def http_date(seconds: float) -> str:
    """A time as HTTP writes it."""
    return _http_date(int(seconds))


@functools.lru_cache(1024)
def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def _seconds(text: str) -> float | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _tags(condition: str) -> list[str]:
    return [each.strip() for each in condition.split(",")]


def _names(condition: str, etag: str) -> bool:
    """Whether a condition names an ETag, be it a weak one."""
    found = [each.removeprefix("W/").strip('"') for each in _tags(condition)]
    return "*" in found or etag in found


def _names_strongly(condition: str, etag: str) -> bool:
    # one without quotes is what S3's clients send, too
    return any(each == "*" or each.strip('"') == etag for each in _tags(condition))


def is_unchanged(headers: Mapping[str, str], facts: Facts) -> bool:
    """
    Whether the client has this object already.        [RFC 9110 section 13.2.2]

    @raise PreconditionFailed: the client does not want it as it is.
    """
    modified = int(facts.modified)
    if "if-match" in headers:
        if not _names_strongly(headers["if-match"], facts.etag):
            raise failed("If-Match")
    else:
        since = _seconds(headers.get("if-unmodified-since", ""))
        if since is not None and modified > since:
            raise failed("If-Unmodified-Since")
    if "if-none-match" in headers:
        return _names(headers["if-none-match"], facts.etag)
    since = _seconds(headers.get("if-modified-since", ""))
    return since is not None and modified <= since


def failed(condition: str) -> PreconditionFailed:
    """What is said of a condition that does not hold, by its header."""
    return PreconditionFailed(
        "At least one of the pre-conditions you specified did not hold", Condition=condition
    )


def wanted_range(headers: Mapping[str, str], facts: Facts) -> str | None:
    """The range that is asked for, if C{If-Range} says that it is one of this object."""
    condition = headers.get("if-range")
    if condition is None:
        return headers.get("range")
    since = _seconds(condition)
    if since is None:
        holds = _names_strongly(condition, facts.etag) and condition.strip() != "*"
    else:
        holds = int(facts.modified) == since
    return headers.get("range") if holds else None


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
        raise InvalidRange(
            "The requested range is not satisfiable", RangeRequested=text, ActualObjectSize=size
        )
    return first, count
