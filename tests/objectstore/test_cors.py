"""Which pages may ask for what."""

from __future__ import annotations

import pytest

from nova_tx.objectstore.cors import Rule, answer_headers, listed, matching
from nova_tx.objectstore.faults import InvalidRequest, MalformedXML
from nova_tx.objectstore.xml_cors import configuration, read_rules
from nova_tx.objectstore.xml_read import read_xml

RULE: Rule = {"AllowedOrigin": ["http://a.test", "https://*.b.test"], "AllowedMethod": ["PUT"]}


@pytest.mark.parametrize(
    ("origin", "method", "may"),
    [
        ("http://a.test", "PUT", True),
        ("http://a.test", "GET", False),
        ("HTTP://a.test", "PUT", False),
        ("http://a.test:80", "PUT", False),
        ("https://x.y.b.test", "PUT", True),
        ("https://b.test", "PUT", False),
        ("https://.b.test.evil", "PUT", False),
    ],
)
def test_origins(origin: str, method: str, may: bool) -> None:
    """An origin is named as it is, or by what is around one star."""
    assert (matching([RULE], origin, method) is RULE) is may


def test_headers() -> None:
    """Each header that the browser asks for has to be allowed, in either case."""
    rule: Rule = {**RULE, "AllowedHeader": ["x-amz-*", "Content-Type"]}
    asked = listed("X-Amz-Acl, content-type ,")
    assert asked == ["X-Amz-Acl", "content-type"]
    assert matching([RULE, rule], "http://a.test", "PUT", asked) is rule
    assert matching([rule], "http://a.test", "PUT", [*asked, "authorization"]) is None
    assert matching([RULE], "http://a.test", "PUT", []) is RULE


def test_answers() -> None:
    """Who allows everybody is told so, and nobody's cookies; else the page's own origin."""
    told = answer_headers(RULE, "http://a.test", ["X-Amz-Acl"])
    assert told["access-control-allow-origin"] == "http://a.test"
    assert told["access-control-allow-credentials"] == "true"
    assert told["access-control-allow-headers"] == "x-amz-acl"
    told = answer_headers({**RULE, "AllowedOrigin": ["*"]}, "http://a.test")
    assert told["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in told


def _document(*members: str) -> bytes:
    rule = "".join(members)
    return f"<CORSConfiguration><CORSRule>{rule}</CORSRule></CORSConfiguration>".encode()


ORIGIN = "<AllowedOrigin>*</AllowedOrigin>"
METHOD = "<AllowedMethod>GET</AllowedMethod>"


def test_documents() -> None:
    """Rules that were read are written so that they are read again."""
    content = _document("<ID>a&amp;b</ID>", ORIGIN, METHOD, "<MaxAgeSeconds>0</MaxAgeSeconds>")
    rules = read_rules(read_xml(content, "CORSConfiguration"))
    assert rules == (
        {"AllowedOrigin": ["*"], "AllowedMethod": ["GET"], "ID": "a&b", "MaxAgeSeconds": 0},
    )
    assert read_rules(read_xml(configuration(rules), "CORSConfiguration")) == rules


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"<CORSConfiguration/>", MalformedXML),
        (b"<CORSConfiguration><Rule/></CORSConfiguration>", MalformedXML),
        (_document(ORIGIN), MalformedXML),
        (_document(METHOD), MalformedXML),
        (_document(ORIGIN, METHOD, "<Other/>"), MalformedXML),
        (_document(ORIGIN, METHOD, "<MaxAgeSeconds>long</MaxAgeSeconds>"), MalformedXML),
        (_document(ORIGIN, METHOD, "<MaxAgeSeconds/>"), MalformedXML),
        (_document(ORIGIN, METHOD, "<ID>1</ID><ID>2</ID>"), MalformedXML),
        (_document(ORIGIN, "<AllowedMethod>get</AllowedMethod>"), InvalidRequest),
        (_document("<AllowedOrigin>*.*</AllowedOrigin>", METHOD), InvalidRequest),
        (_document("<AllowedOrigin/>", METHOD), InvalidRequest),
        (_document(ORIGIN, METHOD, "<ExposeHeader>x-*</ExposeHeader>"), InvalidRequest),
        (_document(ORIGIN, METHOD, "<ExposeHeader>x&#10;y</ExposeHeader>"), InvalidRequest),
        (_document(ORIGIN, METHOD, f"<ID>{'x' * 256}</ID>"), InvalidRequest),
        (_document(*[ORIGIN, METHOD, "</CORSRule><CORSRule>"] * 101), MalformedXML),
    ],
)
def test_refused(content: bytes, error: type[Exception]) -> None:
    """Rules that can't be are refused."""
    with pytest.raises(error):
        read_rules(read_xml(content, "CORSConfiguration"))
