"""The pages that monitoring reads: C{/metrics} and C{/health}."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http import Request as HttpRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from nova_tx.log import background
from nova_tx.monitor.health import Health, Probe
from nova_tx.monitor.keeper import CONTENT_TYPE, Keeper

#: Seconds that an idle connection is kept.
_IDLE = 120
_TEXT = "text/plain; charset=utf-8"

#: Status, content type and content of a page.
Content = tuple[int, str, bytes]


class _Page(Resource):
    """A page that is made when it is asked for."""

    isLeaf = True

    def __init__(self, made: Callable[[], Awaitable[Content]]) -> None:
        super().__init__()
        self._made = made

    def render_GET(self, request: Request) -> int:
        """Answer when it is made, unless whoever asks is gone by then."""
        work = background(self._answer(request), "a page for monitoring")
        _ = request.notifyFinish().addErrback(_gone, work)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        status, content_type, content = await self._made()
        request.setResponseCode(status)
        request.setHeader("content-type", content_type)
        request.setHeader("content-length", str(len(content)))
        request.write(content)
        request.finish()


def _gone(failure: Failure, work: Deferred[None]) -> None:
    work.cancel()


class MonitorSite(Site):
    """Whoever looks every few seconds need not be in the log."""

    def log(self, request: HttpRequest) -> None:
        """Say nothing."""


def site(keeper: Keeper, health: Health, counted: Probe | None, reactor: Any) -> Site:
    """
    What listens on C{metrics_port}.

    @param counted: counts, before figures are told, what is not counted as it comes and goes.
    """

    async def figures() -> Content:
        if counted is not None:
            await counted.look()
        return 200, CONTENT_TYPE, keeper.text()

    async def well() -> Content:
        fine, lines = await health.look()
        return 200 if fine else 503, _TEXT, lines.encode()

    root = Resource()
    root.putChild(b"metrics", _Page(figures))
    root.putChild(b"health", _Page(well))
    return MonitorSite(root, reactor=reactor, timeout=_IDLE)
