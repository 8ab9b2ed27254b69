"""
An HTTP request whose body goes where it belongs as it arrives, and whose answer may come first.

twisted.web reads a whole body before it asks a resource; here the door is asked
as soon as the headers are there, while the connection is paused.
                                                       [dependencies.md section 6; spec/15 C23]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request
from zope.interface import implementer

#: Bytes that are read off the disk at a time.
_BLOCK = 2**18
#: Bytes of a body that is not wanted which are read before the connection is closed.
_DRAIN = 2**20


class Body:
    """
    The body of a request.

    @ivar length: bytes as announced, None if it is chunked by HTTP.
    @ivar ended: all of it has arrived.
    """

    def __init__(self, request: StreamingRequest, length: int | None, expecting: bool) -> None:
        """
        @param expecting: the client waits for C{100 Continue} before it sends.
        """
        self.length = length
        self.ended = False
        self._channel = request.channel
        self._transport = cast(Any, request.channel.transport)
        self._expecting = expecting
        self._early: list[bytes] = []
        self._write: Callable[[bytes], object] = self._early.append
        self._waiting: Deferred[None] | None = None
        self._lost: Failure | None = None
        self._unwanted = 0
        if length != 0:
            self._transport.pauseProducing()

    async def pour(self, write: Callable[[bytes], object]) -> None:
        """
        Give each piece to C{write}; done when the body has ended.

        @raise ConnectionLost: it will never end. Also what C{write} raises.
        """
        for piece in self._early:
            write(piece)
        self._early.clear()
        if self._lost is not None:
            self._lost.raiseException()
        if self.ended:
            return
        self._write = write
        self._waiting = Deferred()
        if self._expecting:
            self._expecting = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._transport.resumeProducing()
        await self._waiting

    def refuse(self) -> None:
        """It is not wanted (any more): read a little of it, so that the client sees the answer."""
        self._early.clear()
        self._write = self._count
        if self._expecting:
            self._channel.loseConnection()
        else:
            self._transport.resumeProducing()

    def _count(self, piece: bytes) -> None:
        self._unwanted += len(piece)
        if self._unwanted > _DRAIN:
            self._channel.loseConnection()

    # From the connection.

    def arrived(self, piece: bytes) -> None:
        """A piece has come."""
        try:
            self._write(piece)
        except Exception:
            self._write = self._count
            self._transport.pauseProducing()
            self._fire(Failure())

    def all_arrived(self) -> None:
        """The last piece has come."""
        self.ended = True
        self._fire(None)

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        if reason.check(ConnectionDone):
            reason = Failure(ConnectionLost("the client closed the connection"))
        self._lost = reason
        self._fire(reason)

    def _fire(self, result: Failure | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(result)  # a Failure calls errbacks


@implementer(IPullProducer)
class _FileProducer:
    """A part of a file, read when the connection can take more."""

    def __init__(self, request: StreamingRequest, file: BinaryIO, left: int) -> None:
        self._request = request
        self._file = file
        self._left = left
        self.done: Deferred[bool] = Deferred()

    def resumeProducing(self) -> None:
        data = self._file.read(min(_BLOCK, self._left))
        self._left -= len(data)
        if data:
            self._request.write(data)
        if not data or not self._left:
            self._request.unregisterProducer()
            self._end(not self._left)

    def stopProducing(self) -> None:
        self._end(False)

    def _end(self, whole: bool) -> None:
        if not self.done.called:
            self.done.callback(whole)


class _AmazonHeaders(Headers):
    """Headers whose names are as S3 writes them; boto takes x-amz-meta-… literally."""

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, list[bytes]]]:
        for name, values in super().getAllRawHeaders():
            lower = name.lower()
            yield (lower if lower.startswith(b"x-amz-") else name), list(values)


class StreamingRequest(Request):
    """
    A request to a L{StreamingSite}.

    @ivar body: its body; await C{body.pour}.
    """

    body: Body
    _received = False
    _answered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.responseHeaders = _AmazonHeaders()

    # From the connection.

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        # what requestReceived says when it is too late for us
        self.method, self.uri = self.channel._command, self.channel._path
        self.clientproto = self.channel._version
        expect = self.requestHeaders.getRawHeaders(b"expect", [b""])[-1]
        # removed, so that the channel does not say 100 before we do
        self.requestHeaders.removeHeader(b"expect")
        expecting = expect.lower() == b"100-continue" and self.clientproto == b"HTTP/1.1"
        self.body = Body(self, length, expecting)
        if length != 0:
            self._begin()

    def handleContentChunk(self, data: bytes) -> None:
        self.body.arrived(data)

    def process(self) -> None:
        self._received = True
        self.body.all_arrived()
        if self.body.length == 0:
            self._begin()
        elif self._answered:
            self.finish()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self.body.lost(reason)

    def _begin(self) -> None:
        site: Any = self.channel.factory
        site.serve(self)

    def cut(self) -> None:
        """Close the connection, whatever was promised."""
        if self.channel is not None:
            self.channel.forceAbortClient()

    # To the client.

    def answer(
        self, code: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        """Send a whole answer; nothing if the client is gone."""
        if self._start(code, headers or {}, len(body)):
            self.write(body)
            self._complete()

    async def send_file(
        self, code: int, headers: Mapping[str, str], file: BinaryIO, count: int
    ) -> None:
        """Send C{count} bytes of a file from where it stands, without reading ahead."""
        if not self._start(code, headers, count):
            return
        if self.method == b"HEAD" or not count:
            self.write(b"")
        else:
            producer = _FileProducer(self, file, count)
            self.registerProducer(producer, False)
            if not await producer.done:
                if self.channel is not None:
                    self.channel.loseConnection()
                return
        self._complete()

    def _start(self, code: int, headers: Mapping[str, str], length: int) -> bool:
        if self._disconnected or self.channel is None:
            return False
        self.setResponseCode(code)
        for name, value in headers.items():
            self.setHeader(name.encode("ascii"), value.encode("utf-8", "surrogateescape"))
        if code not in (204, 304):
            self.setHeader(b"content-length", b"%d" % length)
        if not self.body.ended:
            self.setHeader(b"connection", b"close")
            self.channel.persistent = False
        return True

    def _complete(self) -> None:
        self._answered = True
        if self._received:
            self.finish()
        else:
            self.body.refuse()
