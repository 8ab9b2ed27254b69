"""Listings at the objectstore's door."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from nova_tx.testing.asking import Asker
from nova_tx.testing.objectstore import put

KEYS = ("a", "b/1", "b/2", "c--d--1", "c--d--2", "e f", "z")


@pytest.fixture
def bucket(door: Asker) -> Asker:
    """A bucket with L{KEYS}."""
    for key in KEYS:
        put(door.running.store, "bucket", key, key.encode())
    return door


@pytest.mark.parametrize(
    ("query", "keys", "prefixes"),
    [
        ("", KEYS, ()),
        ("prefix=b/", ("b/1", "b/2"), ()),
        ("delimiter=/", ("a", "c--d--1", "c--d--2", "e f", "z"), ("b/",)),
        ("delimiter=--", ("a", "b/1", "b/2", "e f", "z"), ("c--",)),
        ("delimiter=--&prefix=c--", (), ("c--d--",)),
        ("delimiter=--&prefix=c--d--", ("c--d--1", "c--d--2"), ()),
        ("delimiter=", KEYS, ()),
        ("prefix=nothing", (), ()),
        ("max-keys=0", (), ()),
    ],
)
@pytest.mark.parametrize("version", ["", "list-type=2&"])
async def test_selected(
    bucket: Asker, version: str, query: str, keys: tuple[str, ...], prefixes: tuple[str, ...]
) -> None:
    """Prefix and delimiter, of any length, select keys and what they have in common."""
    answer = await bucket.ask("GET", f"/bucket?{version}{query}")
    assert answer.texts("Contents/Key") == list(keys)
    assert answer.texts("CommonPrefixes/Prefix") == list(prefixes)
    assert answer.members["IsTruncated"] == "false"
    if version:
        assert answer.members["KeyCount"] == str(len(keys) + len(prefixes))


async def test_first_way(bucket: Asker) -> None:
    """Version 1 says where it began, and where the next page does if a delimiter hides that."""
    answer = await bucket.ask("GET", "/bucket?marker=a&max-keys=1")
    assert answer.members == {
        "Name": "bucket",
        "Prefix": "",
        "Marker": "a",
        "MaxKeys": "1",
        "IsTruncated": "true",
    }
    assert answer.texts("Contents/Owner/ID") == ["joe"]
    answer = await bucket.ask("GET", "/bucket?marker=a&max-keys=1&delimiter=/")
    assert answer.members["NextMarker"] == "b/"
    answer = await bucket.ask("GET", "/bucket?marker=b/&max-keys=1&delimiter=/")
    assert answer.texts("Contents/Key") == ["c--d--1"]


async def test_second_way(bucket: Asker) -> None:
    """Version 2 goes on by tokens, which prevail, and tells owners if asked."""
    first = await bucket.ask("GET", "/bucket?list-type=2&start-after=a&max-keys=2")
    token = first.members.pop("NextContinuationToken")
    assert {**first.members, "NextContinuationToken": ""} == {
        "Name": "bucket",
        "Prefix": "",
        "KeyCount": "2",
        "StartAfter": "a",
        "NextContinuationToken": "",
        "MaxKeys": "2",
        "IsTruncated": "true",
    }
    assert first.texts("Contents/Owner/ID") == []
    token = first.members["NextContinuationToken"]
    assert "b/2" not in token
    target = f"/bucket?list-type=2&start-after=a&fetch-owner=true&continuation-token={token}"
    rest = await bucket.ask("GET", target)
    assert rest.texts("Contents/Key") == list(KEYS[3:])
    assert rest.texts("Contents/Owner/ID") == ["joe"] * 4
    assert rest.members["ContinuationToken"] == token
    assert rest.members["StartAfter"] == "a"


async def test_encoded(bucket: Asker) -> None:
    """Keys, prefix, delimiter and marker are percent-encoded if asked for."""
    answer = await bucket.ask(
        "GET", "/bucket?encoding-type=url&prefix=e%20&delimiter=%20f&marker=%C3%BC"
    )
    assert answer.members["EncodingType"] == "url"
    assert answer.members["Prefix"] == "e%20"
    assert answer.members["Delimiter"] == "%20f"
    assert answer.members["Marker"] == "%C3%BC"
    answer = await bucket.ask("GET", "/bucket?encoding-type=url&prefix=e")
    assert answer.texts("Contents/Key") == ["e%20f"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("max-keys=x", "max-keys"),
        ("max-keys=-1", "max-keys"),
        ("max-keys=2147483648", "max-keys"),
        ("max-keys=1e3", "max-keys"),
        ("encoding-type=base64", "encoding-type"),
        ("list-type=3", "list-type"),
        ("list-type=2&continuation-token=", "continuation-token"),
        ("list-type=2&continuation-token=YQ%3D%3D", "continuation-token"),
        (f"list-type=2&continuation-token={quote('ä')}", "continuation-token"),
    ],
)
async def test_refused(bucket: Asker, query: str, name: str) -> None:
    """What makes no sense is refused by its name."""
    answer = await bucket.ask("GET", f"/bucket?{query}")
    assert answer.code == (400, "InvalidArgument")
    assert answer.members["ArgumentName"] == name


async def test_most(bucket: Asker) -> None:
    """A page has a thousand keys at most, whatever is asked for."""
    answer = await bucket.ask("GET", "/bucket?max-keys=2147483647")
    assert answer.members["MaxKeys"] == "1000"
