"""Conditions and ranges."""

from __future__ import annotations

import pytest

from nova_tx.objectstore.conditions import http_date, is_unchanged, part, wanted_range
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidRange, PreconditionFailed

FACTS = Facts(10, "abc", 1_000_000.5, {}, {})
BEFORE, THEN, AFTER = (http_date(1_000_000 + seconds) for seconds in (-1, 0, 1))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": 'W/"abc"'}, True),
        ({"if-none-match": '"x", "abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, False),
        ({"if-modified-since": BEFORE}, False),
        ({"if-modified-since": THEN}, True),
        ({"if-modified-since": "nonsense"}, False),
        ({"if-modified-since": "Thu, 01 Jan 1970 00:00:00 +99999999999999999999"}, False),
        ({"if-match": '"abc"'}, False),
        ({"if-unmodified-since": THEN}, False),
        ({"if-match": "abc"}, False),
        ({"if-match": "*"}, False),
        ({"if-match": '"x", "abc"'}, False),
        ({"if-match": '"x"'}, None),
        ({"if-match": 'W/"abc"'}, None),
        ({"if-match": '"abc"', "if-none-match": '"abc"'}, True),
        ({"if-match": '"x"', "if-none-match": '"abc"'}, None),
        ({"if-unmodified-since": BEFORE, "if-none-match": '"abc"'}, None),
        ({"if-none-match": '"abc"', "if-modified-since": BEFORE}, True),
        ({"if-unmodified-since": BEFORE}, None),
        ({"if-match": '"abc"', "if-unmodified-since": BEFORE}, False),
    ],
)
def test_conditions(headers: dict[str, str], expected: bool | None) -> None:
    """A condition of a GET leads to 304 (True), 412 (None) or the object."""
    if expected is None:
        with pytest.raises(PreconditionFailed):
            is_unchanged(headers, FACTS)
    else:
        assert is_unchanged(headers, FACTS) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("bytes=0-3", (0, 4)),
        ("bytes=3-3", (3, 1)),
        ("bytes=3-", (3, 7)),
        ("bytes=3-99", (3, 7)),
        ("bytes=-3", (7, 3)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=1-2", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges(text: str | None, expected: tuple[int, int] | None) -> None:
    """A range is bytes that are there; what can't be read is no range."""
    assert part(text, 10) == expected


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_no_range(text: str) -> None:
    """A range beyond the object is refused."""
    with pytest.raises(InvalidRange):
        part(text, 10)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, "bytes=0-0"),
        ('"abc"', "bytes=0-0"),
        (THEN, "bytes=0-0"),
        ('"x"', None),
        ('W/"abc"', None),
        ("*", None),
        (BEFORE, None),
        (AFTER, None),
        ("nonsense", None),
    ],
)
def test_if_range(condition: str | None, expected: str | None) -> None:
    """A range is one of the object that the client has a part of already, or none."""
    headers = {"range": "bytes=0-0"} | ({} if condition is None else {"if-range": condition})
    assert wanted_range(headers, FACTS) == expected
