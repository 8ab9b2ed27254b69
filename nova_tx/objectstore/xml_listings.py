"""S3's XML of a bucket's keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.xml_write import document, element, leaf, moment, owner, truth


@dataclass(frozen=True)
class Listed:
    """
    What a page of a bucket's keys was asked for.

    @ivar limit: entries of a page.
    @ivar encode: write keys percent-encoded.
    @ivar terse: leave out what is known of the objects.
    """

    prefix: str
    delimiter: str
    limit: int
    encode: bool
    terse: bool

    def name(self, value: str) -> str:
        """A key, or a part of one, as it is written."""
        return quote(value, safe="/") if self.encode else value


def listing(bucket: Bucket, page: Listing, asked: Listed, marker: str) -> bytes:
    """A page of a bucket's keys, in the first of S3's ways."""
    head = [leaf("Marker", asked.name(marker))]
    # without a delimiter it is the last key, which clients see
    if page.last is not None and asked.delimiter:
        head.append(leaf("NextMarker", asked.name(page.last)))
    return _listing(bucket, page, asked, head, True)


def listing_v2(
    bucket: Bucket,
    page: Listing,
    asked: Listed,
    after: str | None,
    token: str | None,
    next_token: str | None,
    owners: bool,
) -> bytes:
    """
    A page of a bucket's keys, in the second way.

    @param after, token: as they were sent.
    @param owners: tell whose objects they are.
    """
    head = [leaf("KeyCount", len(page.objects) + len(page.prefixes))]
    if after is not None:
        head.append(leaf("StartAfter", asked.name(after)))
    if token is not None:
        head.append(leaf("ContinuationToken", token))
    if next_token is not None:
        head.append(leaf("NextContinuationToken", next_token))
    return _listing(bucket, page, asked, head, owners)


def _listing(
    bucket: Bucket, page: Listing, asked: Listed, head: Iterable[str], owners: bool
) -> bytes:
    parts = [leaf("Name", bucket.name), leaf("Prefix", asked.name(asked.prefix)), *head]
    parts.append(leaf("MaxKeys", asked.limit))
    if asked.delimiter:
        parts.append(leaf("Delimiter", asked.name(asked.delimiter)))
    if asked.encode:
        parts.append(leaf("EncodingType", "url"))
    parts.append(leaf("IsTruncated", truth(page.last is not None)))
    whose = bucket.owner if owners else None
    contents = (_contents(asked, key, facts, whose) for key, facts in page.objects)
    common = (element("CommonPrefixes", leaf("Prefix", asked.name(each))) for each in page.prefixes)
    return document("ListBucketResult", *parts, *contents, *common)


def _contents(asked: Listed, key: str, facts: Facts, whose: str | None) -> str:
    """
    An object in a listing.

    @param whose: those are that have no owner of their own; None: do not tell.
    """
    if asked.terse:
        return element("Contents", leaf("Key", asked.name(key)))
    return element(
        "Contents",
        leaf("Key", asked.name(key)),
        leaf("LastModified", moment(facts.modified)),
        leaf("ETag", f'"{facts.etag}"'),
        *(leaf("ChecksumAlgorithm", name.upper()) for name in facts.checksums),
        leaf("ChecksumType", facts.checksum_type) if facts.checksums else "",
        leaf("Size", facts.size),
        leaf("StorageClass", "STANDARD"),
        "" if whose is None else owner(facts.owner or whose),
    )
