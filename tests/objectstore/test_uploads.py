"""What is made of parts, and what can't be."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import (
    BadDigest,
    EntityTooSmall,
    InvalidArgument,
    InvalidPart,
    InvalidPartNumber,
    InvalidPartOrder,
    InvalidRequest,
)
from nova_tx.objectstore.uploads import (
    SMALLEST_PART,
    Chosen,
    Completion,
    Part,
    Upload,
    assembled,
    check_part,
    chosen_parts,
    part_number,
    range_of_part,
)

ETAG = "d41d8cd98f00b204e9800998ecf8427e"
UPLOAD = Upload("key", 0.0, {"content-type": "a/b"}, owner="joe", tags={"a": "b"})
PARTS = {
    number: Part(number, size, ETAG, 0.0, {"crc32": "AAAAAA=="})
    for number, size in ((1, SMALLEST_PART), (2, SMALLEST_PART - 1), (9, SMALLEST_PART))
}


def _wanted(*numbers: int, etag: str = ETAG, **checksums: str) -> Completion:
    return Completion(tuple(Chosen(number, etag, checksums) for number in numbers))


def test_chosen_parts() -> None:
    """Those that are named are taken, in order; the last one may be small."""
    assert [each.number for each in chosen_parts(UPLOAD, PARTS, _wanted(1, 9))] == [1, 9]
    assert [each.number for each in chosen_parts(UPLOAD, PARTS, _wanted(1, 2))] == [1, 2]
    assert [each.number for each in chosen_parts(UPLOAD, PARTS, _wanted(2, crc32="AAAAAA=="))]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (_wanted(2, 9), EntityTooSmall),
        (_wanted(9, 1), InvalidPartOrder),
        (_wanted(1, 1), InvalidPartOrder),
        (_wanted(1, 3), InvalidPart),
        (_wanted(1, etag="0" * 32), InvalidPart),
        (_wanted(1, crc32="BBBBBB=="), InvalidPart),
        (_wanted(1, sha1="AAAAAA=="), InvalidPart),
    ],
)
def test_parts_that_cannot_be_chosen(wanted: Completion, error: type[NovaError]) -> None:
    """What is not there, is another, out of order or too small has S3's name for it."""
    with pytest.raises(error):
        chosen_parts(UPLOAD, PARTS, wanted)


def test_checksums_that_have_to_be_named() -> None:
    """A checksum of checksums needs that of each part, when it comes and in the end."""
    upload = replace(UPLOAD, algorithm="crc32", checksum_type="COMPOSITE")
    assert chosen_parts(upload, PARTS, _wanted(1, crc32="AAAAAA=="))
    with pytest.raises(InvalidRequest):
        chosen_parts(upload, PARTS, _wanted(1))
    assert chosen_parts(replace(upload, checksum_type="FULL_OBJECT"), PARTS, _wanted(1))
    check_part(upload, {"crc32": "AAAAAA=="})
    check_part(UPLOAD, {})
    with pytest.raises(InvalidRequest):
        check_part(upload, {"sha1": ""})


def test_assembled() -> None:
    """An object has the facts that its upload was begun with, and S3's ETag of its parts."""
    facts = assembled(UPLOAD, [PARTS[1], PARTS[2]], Completion((), size=2 * SMALLEST_PART - 1))
    assert facts.etag == f"{hashlib.md5(bytes.fromhex(ETAG) * 2).hexdigest()}-2"
    assert (facts.size, facts.parts) == (2 * SMALLEST_PART - 1, (SMALLEST_PART, SMALLEST_PART - 1))
    assert (facts.headers, facts.owner, facts.tags) == ({"content-type": "a/b"}, "joe", {"a": "b"})
    assert (facts.checksums, facts.checksum_type) == ({}, "FULL_OBJECT")


@pytest.mark.parametrize("believed", ["mR2SUA==", "mR2SUA==-2"])
def test_assembled_checksum(believed: str) -> None:
    """The checksum of a composite may be told with or without the count of parts."""
    upload = replace(UPLOAD, algorithm="crc32", checksum_type="COMPOSITE")
    parts = [PARTS[1], PARTS[2]]
    found = assembled(upload, parts, Completion(())).checksums["crc32"]
    value = believed.replace("mR2SUA==", found.removesuffix("-2"))
    assert assembled(upload, parts, Completion((), {"crc32": value})).checksum_type == "COMPOSITE"


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (Completion((), size=1), InvalidRequest),
        (Completion((), checksum_type="FULL_OBJECT"), InvalidRequest),
        (Completion((), {"crc32": "AAAAAA=="}), BadDigest),
        (Completion((), {"sha1": "AAAAAA=="}), BadDigest),
    ],
)
def test_another_object(wanted: Completion, error: type[NovaError]) -> None:
    """An object that is not what the client believes is not made."""
    upload = replace(UPLOAD, algorithm="crc32", checksum_type="COMPOSITE")
    with pytest.raises(error):
        assembled(upload, [PARTS[1]], wanted)


def test_range_of_part() -> None:
    """A part is a range of its object; an object that came whole is its own first part."""
    facts = Facts(6, "", 0.0, {}, {}, parts=(1, 2, 3))
    assert [range_of_part(facts, number) for number in (1, 2, 3)] == [(0, 1), (1, 2), (3, 3)]
    assert range_of_part(replace(facts, parts=()), 1) == (0, 6)
    with pytest.raises(InvalidPartNumber):
        range_of_part(facts, 4)
    assert (part_number("1"), part_number("10000")) == (1, 10000)
    for text in ("", "0", "10001", "-1", "1.0", "\u0661", "9" * 5000):
        with pytest.raises(InvalidArgument):
            part_number(text)
