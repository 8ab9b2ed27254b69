"""S3's XML of objects that come in parts, and of copies. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import MalformedXML
from nova_tx.objectstore.uploads import (
    MOST_PARTS,
    Chosen,
    Part,
    Parts,
    Upload,
    Uploads,
)
from nova_tx.objectstore.xml_read import Element
from nova_tx.objectstore.xml_write import document, echo, element, leaf, moment, owner, truth

_CHECKSUM = "Checksum"


def created(bucket: str, upload: Upload) -> bytes:
    """An upload that begins."""
    return document(
        "InitiateMultipartUploadResult",
        leaf("Bucket", bucket),
        echo("Key", upload.key),
        leaf("UploadId", upload.id),
    )


def read_completion(root: Element) -> tuple[Chosen, ...]:
    """
    The parts that an object is to be made of.

    @raise MalformedXML: the document does not say so.
    """
    found = tuple(_chosen(each) for each in root.only("Part").children)
    if not 0 < len(found) <= MOST_PARTS:
        raise MalformedXML(f"an object is made of 1 to {MOST_PARTS} parts")
    return found


def _chosen(part: Element) -> Chosen:
    number = part.value("PartNumber").strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 10):
        raise MalformedXML("a part's number is none")
    checksums = {
        each.name.removeprefix(_CHECKSUM).lower(): each.text.strip()
        for each in part.children
        if each.name.startswith(_CHECKSUM)
    }
    return Chosen(int(number), part.value("ETag").strip().strip('"'), checksums)


def completed(bucket: str, key: str, location: str, facts: Facts) -> bytes:
    """An object that was made of parts."""
    return document(
        "CompleteMultipartUploadResult",
        leaf("Location", location),
        leaf("Bucket", bucket),
        echo("Key", key),
        leaf("ETag", f'"{facts.etag}"'),
        *_checksums(facts.checksums, facts.checksum_type),
    )


def copied(what: str, facts: Facts | Part, checksum_type: str = "") -> bytes:
    """
    What was copied.

    @param what: C{CopyObjectResult} or C{CopyPartResult}.
    """
    return document(
        what,
        leaf("LastModified", moment(facts.modified)),
        leaf("ETag", f'"{facts.etag}"'),
        *_checksums(facts.checksums, checksum_type),
    )


def _checksums(checksums: Mapping[str, str], type_: str = "") -> list[str]:
    found = [leaf(_CHECKSUM + name.upper(), value) for name, value in checksums.items()]
    return found + ([leaf("ChecksumType", type_)] if found and type_ else [])


def parts(bucket: str, page: Parts, after: int, limit: int, bucket_owner: str) -> bytes:
    """A page of an upload's parts."""
    upload = page.upload
    return document(
        "ListPartsResult",
        leaf("Bucket", bucket),
        echo("Key", upload.key),
        leaf("UploadId", upload.id),
        *_whose(upload, bucket_owner),
        leaf("PartNumberMarker", after),
        leaf("NextPartNumberMarker", page.parts[-1].number if page.parts else after),
        leaf("MaxParts", limit),
        leaf("IsTruncated", truth(page.last is not None)),
        *(
            element(
                "Part",
                leaf("PartNumber", each.number),
                leaf("LastModified", moment(each.modified)),
                leaf("ETag", f'"{each.etag}"'),
                leaf("Size", each.size),
                *_checksums(each.checksums),
            )
            for each in page.parts
        ),
    )


def _whose(upload: Upload, bucket_owner: str) -> list[str]:
    project = upload.owner or bucket_owner
    found = [
        element("Initiator", leaf("ID", project), leaf("DisplayName", project)),
        owner(project),
        leaf("StorageClass", "STANDARD"),
    ]
    if upload.algorithm:
        found.append(leaf("ChecksumAlgorithm", upload.algorithm.upper()))
        found.append(leaf("ChecksumType", upload.checksum_type))
    return found


def uploads(
    bucket: str,
    page: Uploads,
    *,
    prefix: str,
    after: tuple[str, str],
    delimiter: str,
    limit: int,
    encode: bool,
    bucket_owner: str,
) -> bytes:
    """
    A page of a bucket's uploads.

    @param encode: write keys percent-encoded, as the client asked.
    """

    def name(value: str) -> str:
        return quote(value, safe="/") if encode else value

    head = [
        leaf("Bucket", bucket),
        leaf("KeyMarker", name(after[0])),
        leaf("UploadIdMarker", after[1]),
    ]
    if page.last is not None:
        head += [
            leaf("NextKeyMarker", name(page.last[0])),
            leaf("NextUploadIdMarker", page.last[1]),
        ]
    if prefix:
        head.append(leaf("Prefix", name(prefix)))
    if delimiter:
        head.append(leaf("Delimiter", name(delimiter)))
    if encode:
        head.append(leaf("EncodingType", "url"))
    head += [leaf("MaxUploads", limit), leaf("IsTruncated", truth(page.last is not None))]
    return document(
        "ListMultipartUploadsResult",
        *head,
        *(
            element(
                "Upload",
                leaf("Key", name(each.key)),
                leaf("UploadId", each.id),
                *_whose(each, bucket_owner),
                leaf("Initiated", moment(each.begun)),
            )
            for each in page.uploads
        ),
        *(element("CommonPrefixes", leaf("Prefix", name(each))) for each in page.prefixes),
    )
