"""XML of requests, good and bad."""

from __future__ import annotations

import pytest

from nova_tx.objectstore.faults import MalformedXML
from nova_tx.objectstore.xml_read import read_xml
from nova_tx.objectstore.xml_write import document, echo


def test_read() -> None:
    """Names come without namespaces, texts as they were written."""
    root = read_xml(
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        b"<Object><Key> a&amp;b&#13;\xc3\xbc<![CDATA[<]]> </Key></Object>"
        b'<Object xsi:type="Group"><Key/></Object><Quiet>true</Quiet></Delete>',
        "Delete",
    )
    first, second = root.all("Object")
    assert first.value("Key") == " a&b\r\u00fc< "
    assert (second.value("Key"), second.attributes) == ("", {"type": "Group"})
    assert (root.value("Quiet"), root.value("Other", "no")) == ("true", "no")
    assert root.find("Other") is None
    assert root.only("Object", "Quiet") is root


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"<a>",
        b"<a/><a/>",
        b"<b/>",
        b"<a>&#1;</a>",
        b"<a>\xff</a>",
        b"<a>&other;</a>",
        b'<?xml version="1.0" encoding="UTF-16"?><a>\xff</a>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" + b"<b/>" * 5000 + b"</a>",
        b"<a>" * 100 + b"</a>" * 100,
    ],
)
def test_not_read(content: bytes) -> None:
    """What is no XML, too much of it, or has a document type, is refused by one name."""
    with pytest.raises(MalformedXML):
        read_xml(content, "a")


def test_what_is_not_there() -> None:
    """What is missing, there twice, or not to be there is named."""
    root = read_xml(b"<a><b/><b/></a>", "a")
    with pytest.raises(MalformedXML, match="no c"):
        root.value("c")
    with pytest.raises(MalformedXML, match="more than one b"):
        root.find("b")
    with pytest.raises(MalformedXML, match="can't have b"):
        root.only("c")


def test_echo() -> None:
    """A document that only repeats a key can be read, whatever the key."""
    key = "".join(map(chr, range(0xD800))) + "\ufffe\uffff"
    found = read_xml(document("Error", echo("Key", key)), "Error").value("Key")
    assert len(found) == len(key)
    assert found[9:11] == key[9:11] and found[32:-2] == key[32:-2]
