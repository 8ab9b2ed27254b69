"""The names that keys become in another S3."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_tx.objectstore.faults import InvalidBucketName, KeyTooLong
from nova_tx.objectstore.remote.names import LAST, Names, escaped, plain

_KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
NAMES = Names("cloud/")


@given(_KEYS)
def test_there_and_back(key: str) -> None:
    """A key comes back from its name, and nothing in the name could be taken for something else."""
    name = escaped(key)
    assert plain(name) == key
    assert not re.search(r"[\x00-\x20\"#$%&'()*+,:;<>?@\[\\\]^`{|}\x7f]", name)
    parts = NAMES.object("bucket", key).split("/")
    assert not {"", ".", ".."} & set(parts)


@given(_KEYS, _KEYS)
def test_order(one: str, other: str) -> None:
    """Names have the order of the bytes of their keys, and begin alike where their keys do."""
    assert (escaped(one).encode() < escaped(other).encode()) == (one.encode() < other.encode())
    assert escaped(one + other).startswith(escaped(one))
    assert escaped(one).startswith(escaped(other)) == one.startswith(other)
    assert escaped(one).encode() <= (escaped(one) + LAST).encode()


@given(_KEYS, _KEYS)
def test_uploads(one: str, other: str) -> None:
    """Names of uploads have the order of their keys, and say key and id."""
    first, second = (NAMES.upload("bucket", key, "0" * 32) for key in (one, other))
    assert (first.encode() < second.encode()) == (one.encode() < other.encode())
    assert NAMES.upload_of("bucket", first) == (one, "0" * 32)


@pytest.mark.parametrize(("key", "name"), [("a/b.c-1", "a/!b.2ec-1"), ("ü_", "ü_5f"), ("/", "/!")])
def test_examples(key: str, name: str) -> None:
    """What is stored is found again by later versions."""
    assert NAMES.object("bucket", key) == f"cloud/objects/bucket/!{name}"


def test_no_room() -> None:
    """A key for which there is no room is refused, with how long it may be."""
    with pytest.raises(KeyTooLong) as caught:
        NAMES.object("bucket", "k" * 1010)
    most = caught.value.members["MaxSizeAllowed"]
    assert len(NAMES.object("bucket", "k" * int(str(most)))) == 1024
    with pytest.raises(KeyTooLong):
        NAMES.object("bucket", "k" * 1025)
    with pytest.raises(InvalidBucketName):
        NAMES.bucket("..")
