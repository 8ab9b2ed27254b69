"""
An HTTP request whose body goes where it belongs as it arrives, and whose answer may come first.

twisted.web reads a whole body before it asks a resource; here the door is asked
as soon as the headers are there, while the connection is paused.
                                                       [dependencies.md section 6; spec/15 C23]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, BinaryIO

from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from nova_tx.access_log import TracedRequest
from nova_tx.errors import NovaError
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.link import send_now
from nova_tx.objectstore.relaying import Relay
from nova_tx.objectstore.sending import Sender, sender
from nova_tx.objectstore.threads import IPool
from nova_tx.request_target import origin_form


class _AmazonHeaders(Headers):
    """Headers whose names are as S3 writes them; boto takes x-amz-meta-… literally."""

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, list[bytes]]]:
        for name, values in super().getAllRawHeaders():
            lower = name.lower()
            yield (lower if lower.startswith(b"x-amz-") else name), list(values)


class StreamingRequest(TracedRequest):
    """
    A request to a L{StreamingSite}.

    @ivar body: its body; await C{body.whole} or C{body.pour}.
    """

    body: Body
    sending: Sender | Relay | None = None
    _received = False
    _answered = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.responseHeaders = _AmazonHeaders()

    @property
    def awaited(self) -> bool:
        """Whether it is the client's turn to send or to take."""
        return self.body.awaited if self.sending is None else self.sending.awaited

    @property
    def moved(self) -> int:
        """Bytes of bodies that came and went so far."""
        return self.body.received + (0 if self.sending is None else self.sending.taken)

    # From the connection.

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        # what requestReceived says when it is too late for us
        self.method = self.channel._command
        self.uri = origin_form(self.channel._path, self.requestHeaders)
        self.clientproto = self.channel._version
        expect = self.requestHeaders.getRawHeaders(b"expect", [b""])[-1]
        # removed, so that the channel does not say 100 before we do
        self.requestHeaders.removeHeader(b"expect")
        expecting = expect.lower() == b"100-continue" and self.clientproto == b"HTTP/1.1"
        self.body = Body(self, length, expecting)
        # the head has come in time; L{nova_tx.objectstore.patience.Watch} sees to the rest
        self.channel.setTimeout(None)
        if length != 0:
            self._begin()

    def handleContentChunk(self, data: bytes) -> None:
        self.body.arrived(data)

    def process(self) -> None:
        self._received = True
        # what the channel sets again after the answer
        self.channel._savedTimeOut = self.channel.factory.timeOut
        early = self._answered
        self.body.all_arrived()
        if self.body.length == 0:
            self._begin()
        elif early:
            self.finish()

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        if hasattr(self, "body"):  # else its head was never whole
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
            transport = self.channel.transport
            self.write(body)
            self._complete()
            send_now(transport)

    async def send_file(
        self,
        code: int,
        headers: Mapping[str, str],
        file: BinaryIO,
        runs: Sequence[tuple[int, int]],
        pool: IPool,
    ) -> None:
        """Send runs of a file (the first byte, and how many), by threads of a pool."""
        count = sum(length for _, length in runs)
        if not self._start(code, headers, count):
            return
        self.write(b"")
        if self.method != b"HEAD" and count:
            self.sending = sender(self, file, runs, pool)
            self.sending.start()
            if not await self.sending.done:
                if self.channel is not None:
                    self.channel.loseConnection()
                return
            self.sentLength = count
        self._complete()

    async def send_pieces(
        self, code: int, headers: Mapping[str, str], count: int, pieces: AsyncIterator[bytes]
    ) -> None:
        """
        Send C{count} bytes as they come.

        @raise NovaError: what the pieces raise before there is one.
        """
        wanted = self.method != b"HEAD" and count > 0
        first = await anext(pieces, b"") if wanted else b""
        if not self._start(code, headers, count):
            return
        self.write(b"")
        if wanted:
            self.sending = Relay(self, count)
            try:
                whole = await self.sending.send(_again(first, pieces))
            except NovaError:  # its length was told: there is no other way to say so
                whole = False
            if not whole:
                self.cut()
                return
            self.sentLength = count
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
            self.channel.setTimeout(self.channel.factory.timeOut)
            self.body.refuse()


async def _again(first: bytes, more: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pieces of which the first was taken already."""
    yield first
    async for piece in more:
        yield piece
