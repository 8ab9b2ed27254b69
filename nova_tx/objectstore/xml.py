"""S3's XML answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from nova_tx.objectstore.facts import Bucket, Facts, Listing
from nova_tx.objectstore.xml_write import document as _document
from nova_tx.objectstore.xml_write import element as _element
from nova_tx.objectstore.xml_write import leaf as _leaf
from nova_tx.objectstore.xml_write import moment as _time
from nova_tx.objectstore.xml_write import owner as _owner
from nova_tx.objectstore.xml_write import truth as _truth

CONTENT_TYPE = "application/xml; charset=UTF-8"


def error(code: str, message: str, resource: str, request_id: str) -> bytes:
    """What a failed request is answered with; S3 gives it no namespace."""
    return _document(
        "Error",
        _leaf("Code", code),
        _leaf("Message", message),
        _leaf("Resource", resource),
        _leaf("RequestId", request_id),
        namespace="",
    )


def buckets(found: Iterable[Bucket], project: str) -> bytes:
    """The answer to C{GET /}."""
    entries = (
        _element("Bucket", _leaf("Name", each.name), _leaf("CreationDate", _time(each.created)))
        for each in found
    )
    return _document("ListAllMyBucketsResult", _owner(project), _element("Buckets", *entries))


def location() -> bytes:
    """The answer to C{?location}: the one region there is has no name."""
    return _document("LocationConstraint")


def listing(
    bucket: Bucket,
    page: Listing,
    *,
    prefix: str,
    marker: str,
    delimiter: str,
    limit: int,
    encode: bool,
    terse: bool,
    token: str | None,
    version: int,
) -> bytes:
    """
    A page of a bucket's keys.

    @param encode: write keys percent-encoded, as the client asked.
    @param terse: leave out what is known of the objects.
    @param token: version 2: the continuation token that was sent.
    @param version: 1 or 2 of S3's ways to list.
    """

    def name(value: str) -> str:
        return quote(value, safe="/") if encode else value

    contents = (_contents(name(key), facts, bucket.owner, terse) for key, facts in page.objects)
    common = (_element("CommonPrefixes", _leaf("Prefix", name(each))) for each in page.prefixes)
    parts = [_leaf("Name", bucket.name), _leaf("Prefix", name(prefix))]
    if version == 1:
        parts.append(_leaf("Marker", name(marker)))
        if page.last is not None and delimiter:
            parts.append(_leaf("NextMarker", name(page.last)))
    else:
        parts.append(_leaf("KeyCount", len(page.objects) + len(page.prefixes)))
        if token is not None:
            parts.append(_leaf("ContinuationToken", token))
        if page.last is not None:
            parts.append(_leaf("NextContinuationToken", page.last.encode().hex()))
    parts.append(_leaf("MaxKeys", limit))
    if delimiter:
        parts.append(_leaf("Delimiter", name(delimiter)))
    if encode:
        parts.append(_leaf("EncodingType", "url"))
    parts.append(_leaf("IsTruncated", _truth(page.last is not None)))
    return _document("ListBucketResult", *parts, *contents, *common)


def _contents(key: str, facts: Facts, owner: str, terse: bool) -> str:
    if terse:
        return _element("Contents", _leaf("Key", key))
    return _element(
        "Contents",
        _leaf("Key", key),
        _leaf("LastModified", _time(facts.modified)),
        _leaf("ETag", f'"{facts.etag}"'),
        _leaf("Size", facts.size),
        _leaf("StorageClass", "STANDARD"),
        _owner(owner),
    )
