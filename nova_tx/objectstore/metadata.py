"""What is kept of an upload's headers, and how it is given back. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from nova_tx.objectstore.faults import InvalidArgument, InvalidStorageClass, MetadataTooLarge

META = "x-amz-meta-"
#: Bytes of the names and values of an object's metadata together.
MOST_METADATA = 2048
_KEPT = frozenset(
    ("content-type", "cache-control", "content-disposition", "content-language", "expires")
)
_STANDARD = "STANDARD"


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    The headers of an upload that come back with the object.

    @raise MetadataTooLarge, InvalidArgument: they can't be kept.
    @raise InvalidStorageClass: it is to be kept where there is nothing.
    """
    stored = headers.get("x-amz-storage-class", _STANDARD)
    if stored != _STANDARD:
        raise InvalidStorageClass(
            "The storage class you specified is not valid", StorageClassRequested=stored
        )
    found = {name: value for name, value in headers.items() if name in _KEPT}
    codings = [each.strip() for each in headers.get("content-encoding", "").split(",")]
    left = [each for each in codings if each and each.lower() != "aws-chunked"]
    if left:
        found["content-encoding"] = ",".join(left)
    metadata = {
        name: _decoded(name, value) for name, value in headers.items() if name.startswith(META)
    }
    size = sum(
        len(name.removeprefix(META)) + len(value.encode()) for name, value in metadata.items()
    )
    if size > MOST_METADATA:
        raise MetadataTooLarge(
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=size,
            MaxSizeAllowed=MOST_METADATA,
        )
    return found | metadata


def _decoded(name: str, value: str) -> str:
    """A value as it is meant: what is not ASCII may come in the words of RFC 2047."""
    if "=?" in value:
        try:
            meant = str(make_header(decode_header(value)))
        except (HeaderParseError, LookupError, ValueError):
            meant = value
        # what could have been said as it is was meant to be as it is
        value = value if meant.isascii() else meant
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(
            "Metadata that is not ASCII has to be UTF-8", ArgumentName=name
        ) from None
    return value


def given_headers(kept: Mapping[str, str]) -> dict[str, str]:
    """What was kept, as headers again: metadata that are not ASCII in the words of RFC 2047."""
    return {
        name: value if value.isascii() or not name.startswith(META) else _encoded(value)
        for name, value in kept.items()
    }


def _encoded(value: str) -> str:
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="
