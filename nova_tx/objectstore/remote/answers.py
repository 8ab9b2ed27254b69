"""What another S3 answers, read. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from nova_tx.errors import TooManyRequests, Unavailable
from nova_tx.objectstore.faults import MalformedXML
from nova_tx.objectstore.xml_read import Element, read_xml

#: Elements of a page of a thousand names, with all that S3 may say of each.
_MOST = 2**15
_BUSY = frozenset((429, 503))
#: Statuses after which it is worth while to ask again; 409 is of two who write at once.
AGAIN = frozenset((409, 429, 500, 502, 503, 504))
#: Of a condition that does not hold; 404 if there is nothing of which it could.
UNMET = frozenset((404, 412))


@dataclass(frozen=True)
class Reply:
    """
    A whole answer.

    @ivar headers: by lower-case name.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def tag(self) -> str:
        """What tells the object from those before it and after it."""
        return self.headers.get("etag", "").strip('"')


@dataclass(frozen=True)
class Names:
    """
    A page of names.

    @ivar tags: of each object, what tells it from those before it and after it.
    @ivar prefixes: what names that go on after a slash have in common.
    @ivar more: it is not the last page.
    """

    tags: dict[str, str]
    prefixes: frozenset[str]
    more: bool


def names(body: bytes) -> Names:
    """
    A page of ListObjectsV2. Blocks for a moment for each name.

    @raise Unavailable: it is none.
    """
    root = _document(body, "ListBucketResult")
    try:
        encoded = root.value("EncodingType", "").lower() == "url"

        def name(text: str) -> str:
            return unquote_plus(text) if encoded else text

        return Names(
            {
                name(each.value("Key")): each.value("ETag", "").strip('"')
                for each in root.all("Contents")
            },
            frozenset(name(each.value("Prefix")) for each in root.all("CommonPrefixes")),
            root.value("IsTruncated", "false").lower() == "true",
        )
    except MalformedXML as error:
        raise strange(str(error)) from None


def check_copied(body: bytes) -> None:
    """
    See that an object was copied: S3 answers 200 before it is.

    @raise Unavailable: it was not.
    """
    _document(body, "CopyObjectResult")


def _document(body: bytes, root: str) -> Element:
    try:
        return read_xml(body, root, _MOST)
    except MalformedXML:
        code = code_of(body)
        raise strange(f"{code} instead of {root}" if code else f"no {root}") from None


def code_of(body: bytes) -> str:
    """S3's word for what went wrong, with its sentence; nothing if it is not there."""
    try:
        root = read_xml(body, "Error")
        return f"{root.value('Code', '')} ({root.value('Message', '')})"
    except MalformedXML:
        return ""


def strange(what: str) -> Unavailable:
    """What is said if it does not answer as S3 does; what it did is for the log."""
    return _Told("the store behind this one does not answer as it should", what)


def refusal(status: int, body: bytes) -> Unavailable:
    """What our own client is told if it refuses; the reason is for the log."""
    reason = f"it answers {status} {code_of(body)}".rstrip()
    if status in _BUSY:
        return _Busy("Please reduce your request rate.", reason)
    return _Told("the store behind this one does not serve", reason)


class _Told(Unavailable):
    """
    The other S3 does not serve us.

    @ivar reason: for the log.
    """

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class _Busy(_Told, TooManyRequests):
    """It has too much to do."""
