"""What is kept of an upload's headers, and its length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_tx.errors import NovaError
from nova_tx.objectstore.faults import (
    EntityTooLarge,
    InvalidArgument,
    InvalidStorageClass,
    MetadataTooLarge,
    MissingContentLength,
)
from nova_tx.objectstore.lengths import check_length
from nova_tx.objectstore.metadata import given_headers, kept_headers

META = "x-amz-meta-a"


def test_kept() -> None:
    """The standard headers and the client's own are kept, and none else; nor is a coding that
    is of the way."""
    kept = {
        "content-type": "text/plain",
        "cache-control": "no-cache",
        "content-disposition": "inline",
        "content-language": "de",
        "expires": "tomorrow",
        META: "1",
    }
    sent = {**kept, "content-encoding": "aws-chunked,gzip", "x-amz-acl": "private", "host": "h"}
    assert kept_headers(sent) == {**kept, "content-encoding": "gzip"}
    assert kept_headers({"content-encoding": "aws-chunked"}) == {}


@pytest.mark.parametrize(
    ("sent", "kept", "given"),
    [
        ("plain", "plain", "plain"),
        ("ü", "ü", "=?UTF-8?B?w7w=?="),
        ("=?UTF-8?B?w7w=?=", "ü", "=?UTF-8?B?w7w=?="),
        ("=?utf-8?q?=C3=BC?=", "ü", "=?UTF-8?B?w7w=?="),
        ("=?UTF-8?B?YQ==?=", "=?UTF-8?B?YQ==?=", "=?UTF-8?B?YQ==?="),
        ("=?nonsense?B?w7w=?=", "=?nonsense?B?w7w=?=", "=?nonsense?B?w7w=?="),
    ],
)
def test_not_ascii(sent: str, kept: str, given: str) -> None:
    """What is not ASCII comes back in the words of RFC 2047, however it came."""
    found = kept_headers({META: sent})
    assert (found, given_headers(found)) == ({META: kept}, {META: given})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=100))
def test_comes_back(value: str) -> None:
    """What a client is given back means what it sent, and is the same when it sends that."""
    kept = kept_headers({META: value})
    assert kept_headers(given_headers(kept)) == kept


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({META: "x" * 2048}, MetadataTooLarge),
        ({META: "ü" * 1024}, MetadataTooLarge),
        ({f"{META}{number}": "x" * 1000 for number in range(3)}, MetadataTooLarge),
        ({META: "\udcff"}, InvalidArgument),
        ({"x-amz-storage-class": "GLACIER"}, InvalidStorageClass),
        ({"x-amz-storage-class": "nonsense"}, InvalidStorageClass),
    ],
)
def test_refused(headers: dict[str, str], error: type[NovaError]) -> None:
    """Metadata have 2 KiB and are UTF-8; there is one storage class."""
    with pytest.raises(error):
        kept_headers(headers)
    assert kept_headers({META: "x" * 2047, "x-amz-storage-class": "STANDARD"})


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-length": "0"}, 0),
        ({"content-length": str(5 * 2**30)}, 5 * 2**30),
        ({"content-length": str(6 * 2**30), "x-amz-decoded-content-length": "5"}, 5),
        ({"x-amz-decoded-content-length": "5"}, 5),
        ({"transfer-encoding": "chunked"}, MissingContentLength),
        ({}, MissingContentLength),
        ({"content-length": str(5 * 2**30 + 1)}, EntityTooLarge),
        ({"content-length": "9" * 5000}, EntityTooLarge),
        ({"content-length": "-1"}, InvalidArgument),
        ({"content-length": "x"}, InvalidArgument),
    ],
)
def test_length(headers: dict[str, str], expected: int | type[NovaError]) -> None:
    """A PUT says how long its object is, and that is 5 GiB at most."""
    if isinstance(expected, int):
        assert check_length(headers) == expected
    else:
        with pytest.raises(expected):
            check_length(headers)
