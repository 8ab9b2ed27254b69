"""The target of an HTTP request, in whichever form a client sends it."""

from __future__ import annotations

import re

from twisted.web.http_headers import Headers

_ABSOLUTE = re.compile(rb"https?://([^/?@]+)(?![^/?])/?(.*)\Z", re.IGNORECASE | re.DOTALL)


def origin_form(target: bytes, headers: Headers) -> bytes:
    """
    Path and query of a target, and what is none as it is.

    That of a whole URL, as proxies send it, has its host put into C{headers}, whatever Host they
    had.                                                          [RFC 9112 sections 3.2.1, 3.2.2]
    """
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return target
    headers.setRawHeaders(b"host", [absolute[1]])
    return b"/" + absolute[2]
