"""
HTTP resources that answer from a coroutine, errors shown in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from nova_tx import metrics
from nova_tx.access_log import TracedRequest, TracedSite, trace
from nova_tx.context import RequestContext
from nova_tx.errors import NovaError, TooManyRequests
from nova_tx.gate import Gate
from nova_tx.ids import new_request_id

_log = Logger()

#: Bytes that the body of a request may have, where no flag says otherwise.
MAX_BODY = 256 * 1024

_OURS = "An internal error has occurred (request {})."
_LATER = "The service is unavailable at the moment; please try again (request {})."

#: Seconds that an idle connection is kept.
IDLE = 120


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def asker(request: Request, forwarded: bool) -> str | None:
    """
    The address that a request comes from.

    @param forwarded: a proxy is before us, and adds to C{X-Forwarded-For} where it has it from.
    """
    told = request.requestHeaders.getRawHeaders("x-forwarded-for") if forwarded else None
    if told:
        return told[-1].rpartition(",")[2].strip()
    return getattr(request.getClientAddress(), "host", None)


class AsyncResource(Resource):
    """
    A leaf whose answer is a coroutine's; a client that goes away cancels it.

    @ivar room: bounds the requests in hand; None: they are answered at once.
    """

    isLeaf = True
    room: Gate | None = None

    async def answer(self, request: Request, request_id: str) -> Answer:
        """
        What to say to a request.

        @raise NovaError: shown with its code and status.
        """
        raise NotImplementedError

    def failed(self, request_id: str, status: int, code: str, text: str) -> Answer:
        """How this resource shows an error."""
        return Answer(f"{code}: {text}\n".encode(), status=status)

    def render(self, request: Request) -> int:
        work = Deferred.fromCoroutine(self._respond(request))
        _ = work.addErrback(Failure.trap, CancelledError)
        _ = request.notifyFinish().addErrback(lambda _: work.cancel())
        return NOT_DONE_YET

    async def _respond(self, request: Request) -> None:
        answer = await self._attempt(request)
        request.setResponseCode(answer.status)
        request.setHeader("content-type", answer.content_type)
        request.setHeader("content-length", str(len(answer.body)))
        for name, value in answer.headers.items():
            request.setHeader(name, value)
        request.write(answer.body)
        request.finish()

    async def _attempt(self, request: Request) -> Answer:
        request_id = new_request_id()
        trace(request, RequestContext(user=None, project=None, request_id=request_id))
        try:
            with self.room.entered() if self.room else nullcontext():
                return await self.answer(request, request_id)
        except TooManyRequests as error:  # logged once, not for each of a flood
            return self.failed(request_id, error.status, error.code, str(error))
        except NovaError as error:
            return self._declared(request_id, error)
        except CancelledError:
            raise
        except Exception:
            _log.failure("request {id} failed", id=request_id)
            return self.failed(request_id, 500, "InternalError", _OURS.format(request_id))

    def _declared(self, request_id: str, error: NovaError) -> Answer:
        """What the user did wrong is told; what is wrong with our parts is only logged."""
        text = str(error)
        if error.status >= 500:
            _log.warn("request {id}: {text}", id=request_id, text=text)
            text = (_LATER if error.status == 503 else _OURS).format(request_id)
        return self.failed(request_id, error.status, error.code, text)


class BoundedRequest(TracedRequest):
    """A request whose body is refused while it arrives, if it is too long."""

    _refused = False

    def __init__(self, *arguments: Any, most: int, told: Callable[[], Answer]) -> None:
        """
        @param most: bytes that it may have.
        @param told: what its client gets instead of an answer.
        """
        super().__init__(*arguments)
        self._most = most
        self._told = told

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > self._most:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        if self._refused:
            return
        assert self.content is not None
        if self.content.tell() + len(data) > self._most:
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._refused:
            super().requestReceived(command, path, version)

    def _refuse(self) -> None:
        self._refused = True
        assert self.channel.transport is not None
        told = self._told()
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
            b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (told.content_type.encode(), len(told.body), told.body)
        )
        self.channel.loseConnection()


def _too_long() -> Answer:
    return Answer(b"The request is too long.\n")


class CountedSite(TracedSite):
    """A site that counts its requests."""

    logger = "nova_tx.api"

    def count(self, request: TracedRequest, seconds: float) -> None:
        metrics.API_REQUESTS.add(request.action, str(request.code))
        metrics.API_SECONDS.observe(seconds, request.action)


def bounded_site(
    root: Resource,
    reactor: object,
    most: int = MAX_BODY,
    told: Callable[[], Answer] = _too_long,
) -> Site:
    """
    A site of ours: bodies bounded, forms left to the resources, no tracebacks shown.

    @param most: bytes that the body of a request may have.
    @param told: what is said to one that has more, with status 413.
    """
    return CountedSite(
        root,
        requestFactory=partial(BoundedRequest, most=most, told=told),
        parsePOSTFormSubmission=False,
        timeout=IDLE,
        reactor=reactor,
    )
