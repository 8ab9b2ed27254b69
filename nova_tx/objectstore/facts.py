"""What is known of buckets and objects, whatever keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Who may do what: the grantee (a project, or the URI of a group) and the permission.
Grants = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bucket:
    """
    A bucket.

    @ivar owner: the project that made it.
    @ivar created: seconds since 1970, UTC.
    @ivar grants: what others may; the owner may everything.
    @ivar cors: rules as in S3's XML, in order.
    @ivar location: where it was asked to be made, as it was written; "" for nowhere said.
    """

    name: str
    owner: str
    created: float
    grants: Grants = ()
    tags: dict[str, str] = field(default_factory=dict)
    cors: tuple[dict[str, Any], ...] = ()
    location: str = ""


@dataclass(frozen=True)
class Facts:
    """
    What is known of an object.

    @ivar size: bytes.
    @ivar etag: MD5 in hex; of one that was uploaded in parts as S3 makes it, C{<md5>-<parts>}.
    @ivar modified: seconds since 1970, UTC.
    @ivar headers: what was sent to be kept: lower-case names (content-type, x-amz-meta-…).
    @ivar checksums: by algorithm as in C{x-amz-checksum-…}, base64.
    @ivar checksum_type: C{FULL_OBJECT} or C{COMPOSITE}.
    @ivar parts: sizes of the parts it was uploaded in, in order; none if it came whole.
    @ivar owner: the project that uploaded it; empty: its bucket's.
    @ivar grants: what others may; the owner may everything.
    """

    size: int
    etag: str
    modified: float
    headers: dict[str, str]
    checksums: dict[str, str]
    checksum_type: str = "FULL_OBJECT"
    parts: tuple[int, ...] = ()
    owner: str = ""
    grants: Grants = ()
    tags: dict[str, str] = field(default_factory=dict)


def bucket_of(name: str, known: Mapping[str, Any]) -> Bucket:
    """
    A bucket of what was written down of it.

    @raise ValueError, TypeError: it can't be one.
    """
    grants = tuple((who, what) for who, what in known.get("grants", ()))
    cors = tuple(known.get("cors", ()))
    return Bucket(**{**known, "name": name, "grants": grants, "cors": cors})


def facts_of(known: Mapping[str, Any]) -> Facts:
    """
    The facts of an object of what was written down of them.

    @raise ValueError, TypeError: they can't be.
    """
    grants = tuple((who, what) for who, what in known.get("grants", ()))
    return Facts(**{**known, "grants": grants, "parts": tuple(known.get("parts", ()))})


@dataclass(frozen=True)
class Listing:
    """
    A page of a bucket's keys.

    @ivar objects: keys with their facts, in the order of their bytes.
    @ivar prefixes: what keys that go on after a delimiter have in common.
    @ivar last: where the next page begins after, None if this is the last one.
    """

    objects: tuple[tuple[str, Facts], ...]
    prefixes: tuple[str, ...]
    last: str | None
