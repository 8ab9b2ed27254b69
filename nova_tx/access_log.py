"""Lines that tell of HTTP requests, without what is secret in them."""

from __future__ import annotations

from twisted.web.iweb import IAccessLogFormatter
from twisted.web.server import Request
from zope.interface import provider


@provider(IAccessLogFormatter)
def access_line(timestamp: str, request: Request) -> str:
    """A line of the access log; queries are left out: signatures and user data are in them."""
    path = request.uri.partition(b"?")[0].decode("latin-1")
    who = getattr(request.getClientAddress(), "host", "-")
    what = f"{request.method.decode('latin-1')} {path}".encode("unicode_escape").decode()
    return f"{who} {timestamp} {what} {request.code} {request.sentLength}"
