"""Rules for pages of other origins, as XML. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from nova_tx.objectstore.cors import METHODS, Rule
from nova_tx.objectstore.faults import InvalidRequest, MalformedXML
from nova_tx.objectstore.xml_read import Element
from nova_tx.objectstore.xml_write import document, element, leaf

_MOST_RULES, _LONGEST_ID, _OLDEST = 100, 255, 2**31
_LISTS = ("AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader")


def configuration(rules: Iterable[Rule]) -> bytes:
    """The answer to C{GET ?cors}."""
    return document("CORSConfiguration", *(element("CORSRule", *_leaves(rule)) for rule in rules))


def _leaves(rule: Rule) -> Iterable[str]:
    if "ID" in rule:
        yield leaf("ID", rule["ID"])
    for name in _LISTS:
        for each in rule.get(name, ()):
            yield leaf(name, each)
    if "MaxAgeSeconds" in rule:
        yield leaf("MaxAgeSeconds", rule["MaxAgeSeconds"])


def read_rules(root: Element) -> tuple[Rule, ...]:
    """
    The rules of a C{CORSConfiguration}.

    @raise MalformedXML: it is none.
    @raise InvalidRequest: a rule can't be.
    """
    found = tuple(_rule(each) for each in root.only("CORSRule").all("CORSRule"))
    if not 0 < len(found) <= _MOST_RULES:
        raise MalformedXML(f"there are 1 to {_MOST_RULES} rules")
    return found


def _rule(each: Element) -> Rule:
    each.only(*_LISTS, "ID", "MaxAgeSeconds")
    rule: Rule = {name: [one.text.strip() for one in each.all(name)] for name in _LISTS}
    rule = {name: texts for name, texts in rule.items() if texts}
    if "AllowedOrigin" not in rule or "AllowedMethod" not in rule:
        raise MalformedXML("a CORSRule has an AllowedOrigin and an AllowedMethod")
    for method in rule["AllowedMethod"]:
        if method not in METHODS:
            raise InvalidRequest(
                f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            )
    for name in ("AllowedOrigin", "AllowedHeader", "ExposeHeader"):
        for text in rule.get(name, ()):
            _check(name, text)
    if each.find("ID") is not None:
        rule["ID"] = each.value("ID")
        if len(rule["ID"]) > _LONGEST_ID:
            raise InvalidRequest(f"an ID has at most {_LONGEST_ID} characters")
    age = each.value("MaxAgeSeconds", "").strip()
    if each.find("MaxAgeSeconds") is not None:
        if not (age.isascii() and age.isdigit()) or len(age) > 10 or int(age) >= _OLDEST:
            raise MalformedXML("MaxAgeSeconds is no count of seconds")
        rule["MaxAgeSeconds"] = int(age)
    return rule


def _check(name: str, text: str) -> None:
    if not text or not (text.isascii() and text.isprintable()):
        raise InvalidRequest(f"{name} {text!r} can't be in a header")
    if name == "ExposeHeader" and "*" in text:
        raise InvalidRequest(
            f'ExposeHeader "{text}" contains wildcard. We currently do not support wildcard for'
            " ExposeHeader."
        )
    if text.count("*") > 1:
        raise InvalidRequest(f'{name} "{text}" can not have more than one wildcard.')
