"""S3's XML answers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from xml.sax.saxutils import escape

from nova_tx.objectstore.facts import Bucket, Facts
from nova_tx.objectstore.xml_write import (
    UNREADABLE,
    document,
    echo,
    element,
    leaf,
    moment,
    owner,
    truth,
)

CONTENT_TYPE = "application/xml; charset=UTF-8"


def region(bucket: Bucket) -> str:
    """Where a bucket is: there is one place here, which is called as its owner likes."""
    return {"": "us-east-1", "EU": "eu-west-1"}.get(bucket.location, bucket.location)


def error(
    code: str,
    message: str,
    resource: str,
    request_id: str,
    host_id: str = "",
    members: Mapping[str, object] | None = None,
) -> bytes:
    """
    What a failed request is answered with; S3 gives it no namespace.

    @param members: what more there is to say of this kind of failure; what XML has no characters
        for is left out, for clients would read nothing then.
    """
    return document(
        "Error",
        leaf("Code", code),
        echo("Message", message),
        *(
            leaf(name, value)
            for name, value in (members or {}).items()
            if not UNREADABLE.search(str(value))
        ),
        echo("Resource", resource),
        leaf("RequestId", request_id),
        leaf("HostId", host_id),
        namespace="",
    )


def buckets(
    found: Iterable[Bucket],
    project: str,
    prefix: str | None = None,
    token: str | None = None,
    regions: bool = False,
) -> bytes:
    """
    The answer to C{GET /}.

    @param prefix: as it was asked for.
    @param token: for the next page, if there is one.
    @param regions: tell where each is.
    """
    entries = (
        element(
            "Bucket",
            leaf("Name", each.name),
            leaf("CreationDate", moment(each.created)),
            leaf("BucketRegion", region(each)) if regions else "",
        )
        for each in found
    )
    return document(
        "ListAllMyBucketsResult",
        owner(project),
        element("Buckets", *entries),
        "" if token is None else leaf("ContinuationToken", token),
        "" if prefix is None else leaf("Prefix", prefix),
    )


def location(bucket: Bucket) -> bytes:
    """The answer to C{?location}: S3's first region, where a bucket is unless told, has no name."""
    return document("LocationConstraint", escape(bucket.location))


def tagging(tags: Mapping[str, str]) -> bytes:
    """The answer to C{?tagging}."""
    found = (element("Tag", leaf("Key", key), leaf("Value", value)) for key, value in tags.items())
    return document("Tagging", element("TagSet", *found))


def attributes(facts: Facts, wanted: Collection[str], after: int, limit: int) -> bytes:
    """
    The answer to C{?attributes}.

    @param wanted: names of what is to be told.
    @param after: the number of the part after which parts are told.
    @param limit: parts that are told.
    """
    told = []
    if "ETag" in wanted:
        told.append(leaf("ETag", facts.etag))
    if "Checksum" in wanted and facts.checksums:
        sums = (leaf(f"Checksum{name.upper()}", each) for name, each in facts.checksums.items())
        told.append(element("Checksum", *sums, leaf("ChecksumType", facts.checksum_type)))
    if "ObjectParts" in wanted and facts.parts:
        told.append(_parts(facts, after, limit))
    if "StorageClass" in wanted:
        told.append(leaf("StorageClass", "STANDARD"))
    if "ObjectSize" in wanted:
        told.append(leaf("ObjectSize", facts.size))
    return document("GetObjectAttributesResponse", *told)


def _parts(facts: Facts, after: int, limit: int) -> str:
    found = list(enumerate(facts.parts, 1))[after : after + limit]
    last = found[-1][0] if found else after
    return element(
        "ObjectParts",
        leaf("PartsCount", len(facts.parts)),
        leaf("PartNumberMarker", after),
        leaf("NextPartNumberMarker", last),
        leaf("MaxParts", limit),
        leaf("IsTruncated", truth(last < len(facts.parts))),
        *(
            element("Part", leaf("PartNumber", number), leaf("Size", size))
            for number, size in found
        ),
    )
