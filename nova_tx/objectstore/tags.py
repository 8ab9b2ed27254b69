"""Tags of buckets and objects, as clients write them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from nova_tx.objectstore.faults import InvalidArgument, InvalidTag, TooManyTagsHere
from nova_tx.objectstore.xml_read import Element

#: Tags of an object, and of a bucket.
MOST_OF_OBJECT, MOST_OF_BUCKET = 10, 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256

_TAGGING = "x-amz-tagging"
#: Letters and digits of any language, blanks, and these.
_TEXT = re.compile(r"[\w\s+\-=.:/@]*\Z")


def tags_of(headers: Mapping[str, str]) -> dict[str, str]:
    """
    The tags that an object is stored with, by its header C{x-amz-tagging}.

    @raise InvalidArgument: it is not of its form.
    @raise InvalidTag, TooManyTagsHere: there can't be such tags.
    """
    text = headers.get(_TAGGING, "")
    if text.count("&") >= MOST_OF_OBJECT:
        raise _too_many(MOST_OF_OBJECT)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        raise _malformed(text) from None
    if len(dict(pairs)) != len(pairs):
        raise _malformed(text)
    return checked_tags(pairs, MOST_OF_OBJECT)


def _too_many(most: int) -> TooManyTagsHere:
    what = "Object" if most == MOST_OF_OBJECT else "Bucket"
    return TooManyTagsHere(f"{what} tags cannot be greater than {most}")


def _malformed(text: str) -> InvalidArgument:
    return InvalidArgument(
        f"The header '{_TAGGING}' shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.",
        ArgumentName=_TAGGING,
        ArgumentValue=text,
    )


def read_tagging(tagging: Element, most: int) -> dict[str, str]:
    """
    The tags of a document C{Tagging}; raises what L{read_tags} does.

    @param most: how many there may be.
    """
    return read_tags(tagging.only("TagSet").one("TagSet"), most)


def read_tags(tag_set: Element, most: int) -> dict[str, str]:
    """
    The tags of an element C{TagSet}.

    @raise MalformedXML: it is none.
    @raise InvalidTag, TooManyTagsHere: there can't be such tags.
    """
    pairs = []
    for each in tag_set.only("Tag").all("Tag"):
        each.only("Key", "Value")
        pairs.append((each.value("Key"), each.value("Value")))
    return checked_tags(pairs, most)


def checked_tags(pairs: Iterable[tuple[str, str]], most: int) -> dict[str, str]:
    """
    Tags by their keys.

    @param most: how many there may be.
    @raise InvalidTag, TooManyTagsHere: there can't be such tags.
    """
    found: dict[str, str] = {}
    for key, value in pairs:
        if len(found) >= most:
            raise _too_many(most)
        if not (0 < len(key) <= _LONGEST_KEY and _TEXT.match(key)):
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=key)
        if key.lower().startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", TagKey=key)
        if len(value) > _LONGEST_VALUE or not _TEXT.match(value):
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=key)
        if key in found:
            raise InvalidTag("Cannot provide multiple Tags with the same key", TagKey=key)
        found[key] = value
    return found
