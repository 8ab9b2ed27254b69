"""Tags, as clients write them."""

from __future__ import annotations

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.faults import InvalidArgument, InvalidTag, MalformedXML, TooManyTagsHere
from nova_tx.objectstore.tags import read_tags, tags_of
from nova_tx.objectstore.xml_read import read_xml

TEN = "&".join(f"k{number}=v" for number in range(10))


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ("a=b&c=", {"a": "b", "c": ""}),
        ("a", {"a": ""}),
        ("a+b=c%20d%3D", {"a b": "c d="}),
        ("%C3%BC=%E6%97%A5", {"ü": "日"}),
        ("a=+-=._:/@", {"a": " -=._:/@"}),
        (f"{'k' * 128}={'v' * 256}", {"k" * 128: "v" * 256}),
        (TEN, {f"k{number}": "v" for number in range(10)}),
    ],
)
def test_header(header: str, tags: dict[str, str]) -> None:
    """x-amz-tagging is read as a query is."""
    assert tags_of({"x-amz-tagging": header}) == tags


def test_no_header() -> None:
    """Who sends no tags gives none."""
    assert tags_of({}) == {}


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (TEN + "&k10=v", TooManyTagsHere),
        ("&" * 1_000_000, TooManyTagsHere),
        ("a=1&a=2", InvalidArgument),
        ("a=%FF", InvalidArgument),
        ("=v", InvalidTag),
        (f"{'k' * 129}=v", InvalidTag),
        (f"k={'v' * 257}", InvalidTag),
        ("a%2Ab=v", InvalidTag),
        ("a=%3Cv%3E", InvalidTag),
        ("AWS:a=v", InvalidTag),
    ],
)
def test_refused(header: str, error: type[NovaError]) -> None:
    """There are ten at most, of characters that a tag may have, each key once."""
    with pytest.raises(error):
        tags_of({"x-amz-tagging": header})


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<Tag><Key>a</Key><Value>1</Value></Tag>" * 2, InvalidTag),
        ("<Tag><Key>a</Key></Tag>", MalformedXML),
        ("<Tag><Value>a</Value></Tag>", MalformedXML),
        ("<Tag><Key>a</Key><Value/><More/></Tag>", MalformedXML),
        ("<Other/>", MalformedXML),
        ("".join(f"<Tag><Key>{each}</Key><Value/></Tag>" for each in "abcd"), TooManyTagsHere),
    ],
)
def test_refused_document(text: str, error: type[NovaError]) -> None:
    """A TagSet has tags of a key and a value each, and as many as there may be."""
    with pytest.raises(error):
        read_tags(read_xml(f"<TagSet>{text}</TagSet>".encode(), "TagSet"), 3)
