"""Targets of requests."""

from __future__ import annotations

import pytest
from twisted.web.http_headers import Headers

from nova_tx.request_target import origin_form


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://a.example/bucket/k%2F?acl", b"/bucket/k%2F?acl", b"a.example"),
        (b"HTTPS://a.example:3333//k", b"//k", b"a.example:3333"),
        (b"http://[::1]:8773", b"/", b"[::1]:8773"),
        (b"http://a.example?x=http://b/", b"/?x=http://b/", b"a.example"),
        (b"/http://a.example/", b"/http://a.example/", b"told"),
        (b"http:///bucket", b"http:///bucket", b"told"),
        (b"http://joe@a.example/", b"http://joe@a.example/", b"told"),
        (b"ftp://a.example/", b"ftp://a.example/", b"told"),
        (b"*", b"*", b"told"),
    ],
)
def test_origin_form(target: bytes, path: bytes, host: bytes) -> None:
    """The host of a whole URL counts, and no other; what is none stays as it is."""
    headers = Headers({b"host": [b"told"]})
    assert origin_form(target, headers) == path
    assert headers.getRawHeaders(b"host") == [host]
