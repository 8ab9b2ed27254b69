"""
Objects that come in parts: what is known of an upload while it goes on, and what is made of its
parts in the end, whatever keeps them. Pure.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nova_tx.objectstore.composites import composite, etag_of, whole
from nova_tx.objectstore.facts import Facts, Grants
from nova_tx.objectstore.faults import (
    BadDigest,
    EntityTooSmall,
    InvalidArgument,
    InvalidPart,
    InvalidPartNumber,
    InvalidPartOrder,
    InvalidRequest,
)

#: Parts of an object, bytes of each and of all but the last.
MOST_PARTS, LARGEST_PART, SMALLEST_PART = 10_000, 5 * 2**30, 5 * 2**20


@dataclass(frozen=True)
class Upload:
    """
    An object that comes in parts, and is not there yet.

    @ivar begun: seconds since 1970, UTC.
    @ivar headers, owner, grants, tags: of the object that it will be, as in L{Facts}.
    @ivar algorithm: that of the parts' checksums; empty: they need have none.
    @ivar checksum_type: what becomes of those: C{COMPOSITE} or C{FULL_OBJECT}.
    @ivar id: given by who keeps it; opaque.
    """

    key: str
    begun: float
    headers: dict[str, str] = field(default_factory=dict)
    algorithm: str = ""
    checksum_type: str = ""
    owner: str = ""
    grants: Grants = ()
    tags: dict[str, str] = field(default_factory=dict)
    id: str = ""


def upload_of(known: Mapping[str, Any]) -> Upload:
    """
    An upload of what was written down of it.

    @raise ValueError, TypeError: it can't be one.
    """
    return Upload(**{**known, "grants": tuple((who, what) for who, what in known["grants"])})


@dataclass(frozen=True)
class Part:
    """
    A part that is there.

    @ivar number: from 1 to L{MOST_PARTS}.
    @ivar etag, modified, checksums: as in L{Facts}.
    """

    number: int
    size: int
    etag: str
    modified: float
    checksums: dict[str, str]


@dataclass(frozen=True)
class Uploads:
    """
    A page of a bucket's uploads.

    @ivar uploads: in the order of their keys, those of one key in that of their beginning.
    @ivar prefixes: what keys that go on after a delimiter have in common.
    @ivar last: key and id that the next page begins after, None if this is the last one.
    """

    uploads: tuple[Upload, ...]
    prefixes: tuple[str, ...]
    last: tuple[str, str] | None


@dataclass(frozen=True)
class Parts:
    """
    A page of an upload's parts.

    @ivar last: the number that the next page begins after, None if this is the last one.
    """

    upload: Upload
    parts: tuple[Part, ...]
    last: int | None


@dataclass(frozen=True)
class Chosen:
    """
    A part that the object is to be made of.

    @ivar checksums: what the client believes them to be; those that it names.
    """

    number: int
    etag: str
    checksums: dict[str, str]


@dataclass(frozen=True)
class Completion:
    """
    What an object is to be made of, and what the client believes that it will be.

    @ivar parts: in order.
    @ivar checksums, checksum_type, size: of the object; those that it names.
    """

    parts: tuple[Chosen, ...]
    checksums: dict[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    size: int | None = None


def part_number(text: str) -> int:
    """
    A part's number, as clients write it.

    @raise InvalidArgument: it is none.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= MOST_PARTS):
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
        )
    return int(text)


def range_of_part(facts: Facts, number: int) -> tuple[int, int]:
    """
    The first byte and the count of a part of an object.

    @raise InvalidPartNumber: the object has no such part.
    """
    sizes = facts.parts or (facts.size,)
    if number > len(sizes):
        raise InvalidPartNumber("The requested partnumber is not satisfiable")
    return sum(sizes[: number - 1]), sizes[number - 1]


def check_order(completion: Completion) -> None:
    """
    See that parts are named once, in order.

    @raise InvalidPartOrder: they are not.
    """
    numbers = [each.number for each in completion.parts]
    if any(after <= before for before, after in itertools.pairwise(numbers)):
        raise InvalidPartOrder("the parts are not in ascending order")


def check_part(upload: Upload, checksums: Mapping[str, str]) -> None:
    """
    See that a part has the checksum that it has to have.

    @raise InvalidRequest: it has not.
    """
    if upload.algorithm and upload.algorithm not in checksums:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm}, "
            f"actual checksum Type: {min(checksums, default='null')}"
        )


def chosen_parts(
    upload: Upload, there: Mapping[int, Part], completion: Completion
) -> tuple[Part, ...]:
    """
    The parts that an object is to be made of.

    @param there: those that came, by number.
    @raise InvalidPart: one is not there, or another one.
    @raise InvalidRequest: a checksum is missing.
    @raise InvalidPartOrder, EntityTooSmall: they can't be put together.
    """
    check_order(completion)
    needed = upload.algorithm if upload.checksum_type == "COMPOSITE" else ""
    found = []
    for each in completion.parts:
        part = there.get(each.number)
        if part is None or part.etag != each.etag:
            raise InvalidPart(f"part {each.number} was not uploaded, or has another ETag")
        if needed and needed not in each.checksums:
            raise InvalidRequest(
                f"The upload was created using a {needed} checksum. The complete request must "
                "include the checksum for each part. It was missing for part "
                f"{each.number} in the request."
            )
        if any(part.checksums.get(name) != value for name, value in each.checksums.items()):
            raise InvalidPart(f"part {each.number} has another checksum")
        found.append(part)
    for part in found[:-1]:
        if part.size < SMALLEST_PART:
            raise EntityTooSmall(
                f"part {part.number} has {part.size} bytes; all but the last part must have "
                f"{SMALLEST_PART} at least"
            )
    return tuple(found)


def assembled(upload: Upload, parts: Sequence[Part], completion: Completion) -> Facts:
    """
    What is known of the object that is made of parts.

    Blocks for a moment for each part: many are for a thread.

    @raise InvalidRequest, BadDigest: it is not what the client believes it to be.
    """
    size = sum(part.size for part in parts)
    if completion.size not in (None, size):
        raise InvalidRequest(f"the object has {size} bytes, not {completion.size}")
    if completion.checksum_type not in ("", upload.checksum_type):
        raise InvalidRequest(f"the upload's checksums are not {completion.checksum_type}")
    checksums: dict[str, str] = {}
    name = upload.algorithm
    if name and upload.checksum_type == "COMPOSITE":
        checksums[name] = composite(name, [part.checksums[name] for part in parts])
    elif name:
        checksums[name] = whole(name, [(part.checksums[name], part.size) for part in parts])
    for name, value in completion.checksums.items():
        # of a composite one the count of parts may be left out
        if value not in (checksums.get(name), checksums.get(name, "").rpartition("-")[0]):
            raise BadDigest(f"the object's {name} is not the one in x-amz-checksum-{name}")
    return Facts(
        size=size,
        etag=etag_of([part.etag for part in parts]),
        modified=time.time(),
        headers=upload.headers,
        checksums=checksums,
        checksum_type=upload.checksum_type or "FULL_OBJECT",
        parts=tuple(part.size for part in parts),
        owner=upload.owner,
        grants=upload.grants,
        tags=upload.tags,
    )
