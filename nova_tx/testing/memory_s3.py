"""
An S3 in memory, for clients of another S3: it is asked past all connections, and can go away.

It stores, gives, copies, lists and removes, as S3 does; what it is not asked for, it has not.
Conditions of writes are heeded or not, for that is so with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import RequestGenerationFailed, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from nova_tx.flags import BackendFlags
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.place import place
from nova_tx.objectstore.remote.store import RemoteStore
from nova_tx.objectstore.threads import Pool

#: Sees a method and a name before it is done, and raises, or answers with a status instead.
Fault = Callable[[str, str], int | None]


class _Taker:
    """Takes a body."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


class _Connection:
    """A body's; all of it is there at once."""

    def pauseProducing(self) -> None:
        """It was."""

    def resumeProducing(self) -> None:
        """It was."""

    def loseConnection(self) -> None:
        """It was."""


class Response:
    """An answer."""

    def __init__(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.code = code
        self.length = len(body)
        self.headers = Headers({name: [value] for name, value in headers.items()})
        self._body = body

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(_Connection())
        if self._body:
            protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
class MemoryS3:
    """
    A bucket.

    @ivar objects: what is in it, by name.
    @ivar asked: how many requests came.
    @ivar fault: what is wrong with it before it does anything.
    @ivar late: what is wrong with it after it did what was asked for.
    @ivar slow: of which it does so when it is told to, and whose senders are cut off before.
    """

    def __init__(
        self, new: bool = True, same: bool = True, removals: bool = True, quote: str = '"'
    ) -> None:
        """
        @param new: that a PUT finds nothing is heeded.
        @param same: that it finds what it is to find is.
        @param removals: that a DELETE does is.
        @param quote: what has to be around a tag there.
        """
        self._new = new
        self._same = {"PUT": same, "DELETE": removals}
        self._quote = quote
        self._held: list[Callable[[], Awaitable[Response]]] = []
        self.objects: dict[str, bytes] = {}
        self.asked = 0
        self.fault: Fault = lambda method, name: None
        self.late: Fault = lambda method, name: None
        self.slow: Callable[[str, str], bool] = lambda method, name: False

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        assert headers is not None
        answered = self._request(method.decode(), uri.decode(), headers, bodyProducer)
        return Deferred.fromCoroutine(answered)

    async def _request(
        self, method: str, uri: str, headers: Headers, body: IBodyProducer | None
    ) -> IResponse:
        split = urlsplit(uri)
        name = unquote(split.path).lstrip("/").partition("/")[2]
        self.asked += 1
        code = self.fault(method, name)
        if code is None:
            query = dict(parse_qsl(split.query))
            if self.slow(method, name):
                self._held.append(lambda: self._done(method, name, query, headers, body))
                raise ConnectionLost
            found = await self._done(method, name, query, headers, body)
            code = self.late(method, name)
        if code is not None:
            found = Response(code, b"<Error><Code>Fault</Code><Message>no</Message></Error>")
        return cast(IResponse, found)

    async def go_on(self) -> list[int]:
        """Do what it was slow with; what it would answer."""
        held, self._held = self._held, []
        return [(await work()).code for work in held]

    async def _done(
        self,
        method: str,
        name: str,
        query: dict[str, str],
        headers: Headers,
        body: IBodyProducer | None,
    ) -> Response:
        if not self._holds(method, name, headers):
            return Response(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        if method == "PUT":
            assert body is not None
            taker = _Taker()
            try:
                await body.startProducing(taker)
            except Exception:
                raise RequestGenerationFailed([Failure()]) from None
            content = b"".join(taker.pieces)
            assert len(content) == body.length
            [source] = headers.getRawHeaders(b"x-amz-copy-source", [None])
            if source is not None:
                there = self.objects.get(unquote(source.decode()).lstrip("/").partition("/")[2])
                if there is None:
                    return Response(404)
                self.objects[name] = there
                return Response(200, b"<CopyObjectResult/>")
            self.objects[name] = content
            return Response(200, etag=_tag(content))
        if method == "DELETE":
            self.objects.pop(name, None)
            return Response(204)
        if not name:
            return self._list(query)
        return self._get(name, headers)

    def _holds(self, method: str, name: str, headers: Headers) -> bool:
        """Whether the conditions of a write do, if they are heeded."""
        there = self.objects.get(name)
        [same] = headers.getRawHeaders(b"if-match", [None])
        if same is not None and self._same.get(method):
            quoted = there is not None and _tag(there).replace('"', self._quote)
            if same.decode() != quoted:
                return False
        return not (self._new and headers.hasHeader(b"if-none-match")) or there is None

    def _get(self, name: str, headers: Headers) -> Response:
        content = self.objects.get(name)
        if content is None:
            return Response(404, b"<Error><Code>NoSuchKey</Code></Error>")
        [asked] = headers.getRawHeaders(b"range", [None])
        if asked is None:
            return Response(200, content, etag=_tag(content))
        first, _, last = asked.decode().removeprefix("bytes=").partition("-")
        return Response(206, content[int(first) : int(last) + 1], etag=_tag(content))

    def _list(self, query: dict[str, str]) -> Response:
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        shown: dict[str, str] = {}
        for name in sorted(self.objects, key=str.encode):
            if name.startswith(prefix) and name.encode() > after.encode():
                at = name.find("/", len(prefix)) if "delimiter" in query else -1
                if at < 0:
                    tag = _tag(self.objects[name])
                    shown[name] = (
                        f"<Contents><Key>{escape(name)}</Key><ETag>{tag}</ETag></Contents>"
                    )
                else:
                    common = name[: at + 1]
                    text = f"<Prefix>{escape(common)}</Prefix>"
                    shown[common] = f"<CommonPrefixes>{text}</CommonPrefixes>"
        page = list(shown.values())[: int(query["max-keys"])]
        more = "true" if len(shown) > len(page) else "false"
        text = f"<IsTruncated>{more}</IsTruncated>{''.join(page)}"
        return Response(200, f"<ListBucketResult>{text}</ListBucketResult>".encode())


def _tag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def refused(method: str, name: str) -> int | None:
    """Nobody listens there."""
    raise ConnectionRefusedError


@asynccontextmanager
async def store_in(s3: MemoryS3, later: float = 0.0) -> AsyncIterator[RemoteStore]:
    """
    A store in an S3 in memory.

    @param later: seconds that it believes to be, after now.
    """
    from twisted.internet import reactor

    pool = Pool(reactor, "remote", 2)
    pool.start()
    flags = BackendFlags("http://memory/bucket/cloud", "access", "secret")
    clock = Clock()
    clock.advance(reactor.seconds() + later)

    async def end() -> None:
        """There are no connections."""

    client = Client(place(flags), s3, reactor, pool)
    store = RemoteStore(client, "cloud/", pool, reactor, end, clock)
    try:
        await store.open()
        yield store
    finally:
        await store.close()
        await pool.stop()
