"""
HTTP requests in the log: each belongs to a request of ours, and its end is a line.

Without what is secret in it.                                           [spec/01 section 7]
"""

from __future__ import annotations

import functools
from time import perf_counter
from typing import Any

from twisted.logger import Logger
from twisted.web.http import Request as HttpRequest
from twisted.web.server import Request, Site

from nova_tx.context import RequestContext
from nova_tx.log import belongs_to, in_context
from nova_tx.request_target import origin_form

#: What a request asks for, as long as that is not known.
UNKNOWN = "-"


class TracedRequest(Request):
    """
    A request that knows what it is in the log.

    @ivar began: when its first line was there, in seconds.
    @ivar action: what it asks for; one of a small set of words.
    @ivar whose: who asks, with the request's id, as far as is known.
    """

    action = UNKNOWN
    whose: RequestContext | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.began = perf_counter()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        super().requestReceived(command, origin_form(path, self.requestHeaders), version)


def trace(request: Request, whose: RequestContext, action: str | None = None) -> None:
    """From now on lines of this coroutine, and the request's own, belong to a request of ours."""
    belongs_to(whose)
    if isinstance(request, TracedRequest):
        request.whose = whose
        request.action = action or request.action


class TracedSite(Site):
    """
    A site whose requests each end with a line.

    @cvar logger: the name of the logger whose lines they are.
    """

    logger = "nova_tx.access"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._log = Logger(namespace=self.logger)

    def log(self, request: HttpRequest) -> None:
        """A request was answered."""
        assert isinstance(request, TracedRequest)
        seconds = perf_counter() - request.began
        whose = request.whose
        if whose is None:
            self._log.info("{line}", line=access_line(request, seconds))
        else:
            with in_context(whose):
                self._log.info("{line}", line=access_line(request, seconds))
        self.count(request, seconds)

    def count(self, request: TracedRequest, seconds: float) -> None:
        """Have a request in the metrics."""


def access_line(request: TracedRequest, seconds: float) -> str:
    """A line of the access log; queries are left out: signatures and user data are in them."""
    who = getattr(request.getClientAddress(), "host", "-")
    path = request.uri.partition(b"?")[0]
    words = (
        f"{seconds:.6f}s {who}",
        _shown(request.method),
        _shown(path),
        request.action,
        str(request.code),
        f"[{_shown(request.requestHeaders.getRawHeaders(b'user-agent', [b'-'])[-1])}]",
        _shown(request.requestHeaders.getRawHeaders(b"content-type", [b"-"])[-1]),
        _shown(request.responseHeaders.getRawHeaders(b"content-type", [b"-"])[-1]),
        str(request.sentLength),
    )
    return " ".join(words)


@functools.lru_cache(1024)
def _shown(text: bytes) -> str:
    return text.decode("latin-1").encode("unicode_escape").decode("ascii")
