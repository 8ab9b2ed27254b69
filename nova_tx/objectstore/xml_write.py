"""What XML answers are made of. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.sax.saxutils import escape

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
#: What XML has no way to write, not even as a reference; clients' parsers stop there.
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")


def leaf(tag: str, value: object) -> str:
    """An element with a text."""
    # S3 writes control characters as references, which its clients' parsers know of
    text = _CONTROL.sub(lambda found: f"&#x{ord(found[0]):x};", escape(str(value)))
    return f"<{tag}>{text}</{tag}>"


def echo(tag: str, value: object) -> str:
    """An element with a text for people, as far as XML can have it: any parser reads it."""
    return leaf(tag, UNREADABLE.sub("\ufffd", str(value)))


def element(tag: str, *children: str) -> str:
    """An element with others in it."""
    return f"<{tag}>{''.join(children)}</{tag}>"


def document(tag: str, *children: str, namespace: str = _NAMESPACE) -> bytes:
    """A whole document, by its outermost element."""
    opening = f'{tag} xmlns="{namespace}"' if namespace else tag
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{opening}>{"".join(children)}</{tag}>'
    return text.encode("utf-8", "replace")


def moment(seconds: float) -> str:
    """A time, as S3's XML has it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def truth(value: bool) -> str:
    """Yes or no."""
    return "true" if value else "false"


def owner(project: str) -> str:
    """Whose something is."""
    return element("Owner", leaf("ID", project), leaf("DisplayName", project))
