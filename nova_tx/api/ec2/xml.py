"""
Answers as XML.                                                        [spec/02 section 4]

A dict is elements, a sequence is C{<item>}s, C{None} an empty element or none.
All text is escaped; characters that XML has no way to say are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from nova_tx.api.ec2.dialect import Dialect

_SPEAKABLE = "\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff"
_UNSPEAKABLE = re.compile(f"[^{_SPEAKABLE}]")
_SPECIAL = re.compile(f"[&<>\r]|[^{_SPEAKABLE}]")
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def answer(
    action: str,
    version: str,
    request_id: str,
    content: Mapping[str, object],
    dialect: Dialect,
) -> bytes:
    """The document that answers an action."""
    space = quoteattr(_speakable(f"http://ec2.amazonaws.com/doc/{version}/"))
    inside = _elements({"requestId": request_id, **content}, dialect)
    return f"{_DECLARATION}<{action}Response xmlns={space}>{inside}</{action}Response>".encode()


def failure(code: str, message: str, request_id: str) -> bytes:
    """The document that says what went wrong."""
    return (
        f"{_DECLARATION}\n<Response><Errors><Error><Code>{text(code)}</Code>"
        f"<Message>{text(message)}</Message></Error></Errors>"
        f"<RequestID>{text(request_id)}</RequestID></Response>"
    ).encode()


def text(value: str) -> str:
    """Text between tags."""
    if not _SPECIAL.search(value):
        return value
    return escape(_speakable(value), {"\r": "&#13;"})


def _speakable(value: str) -> str:
    return _UNSPEAKABLE.sub("", value)


def _elements(content: Mapping[str, object], dialect: Dialect) -> str:
    parts = []
    for name, value in content.items():
        if value is not None:
            parts.append(f"<{name}>{_inside(value, dialect)}</{name}>")
        elif dialect.blanks:
            parts.append(f"<{name}/>")
    return "".join(parts)


def _inside(value: object, dialect: Dialect) -> str:
    # the frequent first: a list of a thousand instances has forty thousand of these
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return _elements(value, dialect)
    if isinstance(value, (list, tuple)):
        return "".join([f"<item>{_inside(each, dialect)}</item>" for each in value])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return dialect.time(value)
    if isinstance(value, int):
        return str(value)
    raise TypeError(f"{value!r} can't be said in XML")
