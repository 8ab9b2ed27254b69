"""
What pages of other origins may ask for, in a browser. Pure.           [S3: CORS; Fetch standard]

A rule is as in S3's XML: lists C{AllowedOrigin}, C{AllowedMethod}, C{AllowedHeader} and
C{ExposeHeader}, C{MaxAgeSeconds} and C{ID} if they are said.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Rule = dict[str, Any]

METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def matching(
    rules: Iterable[Rule], origin: str, method: str, headers: Iterable[str] = ()
) -> Rule | None:
    """
    The first rule that lets a page of an origin send such a request; None: none does.

    @param headers: those that the browser has to ask for.
    """
    wanted = [each.lower() for each in headers]
    return next(
        (
            rule
            for rule in rules
            if method in rule["AllowedMethod"]
            and any(_fits(pattern, origin) for pattern in rule["AllowedOrigin"])
            and all(
                any(_fits(pattern.lower(), each) for pattern in rule.get("AllowedHeader", ()))
                for each in wanted
            )
        ),
        None,
    )


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is as a pattern with at most one C{*}."""
    before, star, after = pattern.partition("*")
    if not star:
        return text == pattern
    room = len(text) >= len(before) + len(after)
    return room and text.startswith(before) and text.endswith(after)


def answer_headers(rule: Rule, origin: str, headers: Iterable[str] = ()) -> dict[str, str]:
    """
    What a browser is told with an answer.

    @param headers: those that it asked for.
    """
    anybody = "*" in rule["AllowedOrigin"]
    found = {
        "access-control-allow-origin": "*" if anybody else origin,
        "access-control-allow-methods": ", ".join(rule["AllowedMethod"]),
        "vary": _VARY,
    }
    if not anybody:
        found["access-control-allow-credentials"] = "true"
    allowed = ", ".join(each.lower() for each in headers)
    if allowed:
        found["access-control-allow-headers"] = allowed
    if rule.get("ExposeHeader"):
        found["access-control-expose-headers"] = ", ".join(rule["ExposeHeader"])
    if "MaxAgeSeconds" in rule:
        found["access-control-max-age"] = str(rule["MaxAgeSeconds"])
    return found


def listed(text: str) -> list[str]:
    """The names in C{Access-Control-Request-Headers}."""
    return [each.strip() for each in text.split(",") if each.strip()]
