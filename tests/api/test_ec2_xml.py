"""Answers as XML that every parser reads."""

from __future__ import annotations

from datetime import datetime
from xml.etree.ElementTree import fromstring

import pytest

from nova_tx.api.ec2 import dialect, xml

OLD, NEW = dialect.of("2009-11-30"), dialect.of("2016-11-15")


def test_answer() -> None:
    """Every kind of value is written as EC2 writes it, after the request id."""
    content = {
        "set": [{"a": 1, "b": "x"}, "text", []],
        "yes": True,
        "no": False,
        "none": None,
        "when": datetime(2011, 2, 15, 7, 28, 32, 5000),
    }
    body = xml.answer("Do", "2009-11-30", "ID", content, OLD).decode()
    assert body.endswith(
        '<DoResponse xmlns="http://ec2.amazonaws.com/doc/2009-11-30/"><requestId>ID</requestId>'
        "<set><item><a>1</a><b>x</b></item><item>text</item><item></item></set>"
        "<yes>true</yes><no>false</no><none/><when>2011-02-15 07:28:32</when></DoResponse>"
    )
    assert b"<none" not in xml.answer("Do", "2016-11-15", "ID", content, NEW)
    with pytest.raises(TypeError):
        xml.answer("Do", "2016-11-15", "ID", {"a": 1.5}, NEW)


@pytest.mark.parametrize("make", ["answer", "failure"])
def test_escaping(make: str) -> None:
    """Markup stays text, and what XML can't say is dropped: any text gives a document.  [A18]"""
    nasty = "<b>&x;]]>\"'\x00\x1b[0m\ud800\ufffe\r\n\tü\U0001f600"
    if make == "answer":
        body = xml.answer("Do", nasty, nasty, {"a": nasty}, NEW)
        found = fromstring(body).findtext("{*}a")
    else:
        body = xml.failure(nasty, nasty, nasty)
        found = fromstring(body).findtext(".//Message")
    assert found == "<b>&x;]]>\"'[0m\r\n\tü\U0001f600"
