"""
The body of a request on its way in: given to who awaits it, at the pace of who awaits it.

What is small is gathered by the event loop.  What is large is taken by a thread, which reads from
the connection itself, so that a byte is copied once into memory and once out of it, and the event
loop hears of every few megabytes only.  Over TLS the event loop reads on while the thread writes,
a bounded distance ahead.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from nova_tx.objectstore.aside import BEHIND
from nova_tx.objectstore.bounds import AHEAD, PIECE, SMALL
from nova_tx.objectstore.faults import RequestTooLong
from nova_tx.objectstore.link import own_socket
from nova_tx.objectstore.threads import IPool

if TYPE_CHECKING:
    from nova_tx.objectstore.request import StreamingRequest

#: Bytes that a thread takes before it lets others have their turn.
_TURN = 2**23
#: Pieces that are kept apart; each costs as much as some fifty bytes.
_APART = 64
#: Bytes of a body that is not wanted which are read before the connection is closed.
_DRAIN = 2**20


class Body:
    """
    The body of a request.

    @ivar length: bytes as announced, None if it is chunked by HTTP.
    @ivar ended: all of it has arrived.
    @ivar received: bytes so far.
    @ivar awaited: it is the client's turn to send.
    """

    def __init__(self, request: StreamingRequest, length: int | None, expecting: bool) -> None:
        """
        @param expecting: the client waits for C{100 Continue} before it sends.
        """
        self.length = length
        self.ended = length == 0
        self.received = 0
        self.awaited = False
        self._channel: Any = request.channel
        self._transport = cast(Any, request.channel.transport)
        self._expecting = expecting
        self._come: list[bytes] = []
        self._held = 0  # bytes of these
        self._ahead = 0  # how many may come unasked
        self._waiting: Deferred[None] | None = None
        self._lost: Failure | None = None
        self._refused = False
        self._paused = False
        if not self.small:
            self._pause()
        if self.ended:
            # S3 says it even then; botocore before 1.44 mistakes later answers if it does not
            self._go_on()

    @property
    def small(self) -> bool:
        """Whether it can be held in memory."""
        return self.length is not None and self.length <= SMALL

    async def whole(self, most: int = SMALL) -> bytes:
        """
        All of a body that is held in memory.

        @param most: bytes that it may have.
        @raise RequestTooLong: it has more.
        @raise ConnectionLost: it will never end.
        """
        content = bytearray()
        while max(self.received, self.length or 0) <= most:
            found = await self._next()
            if not found:
                return bytes(content)
            for piece in found:
                content += piece
        raise RequestTooLong(f"the request's body may have {most} bytes")

    async def some(self) -> bytes:
        """
        What has come since the last time, a byte at least; nothing when that was all.

        @raise ConnectionLost: it will never end.
        """
        return b"".join(await self._next())

    def put_back(self, data: bytes) -> None:
        """What was taken by L{some} and is to be taken again."""
        if data:
            self._come.insert(0, data)
            self._held += len(data)

    async def pour(self, write: Callable[[bytes | memoryview], object], pool: IPool) -> None:
        """
        Have threads of a pool give each piece to C{write}; done when the body has ended.

        A piece stays as it is until C{write} has returned from L{BEHIND} more.

        @raise ConnectionLost: it will never end. Also what C{write} raises.
        """
        source = own_socket(self._transport)
        if source is None:
            self._ahead = AHEAD
        try:
            while pieces := await self._next():
                most = 0
                if source is None:
                    self._resume()
                else:
                    most = self._left()
                self._skip(await pool.run(_take, pieces, source, most, write))
        finally:
            self._ahead = 0
            if source is not None:
                source.close()

    async def _next(self) -> list[bytes]:
        """What has come since the last time; nothing when that was all. No more comes meanwhile."""
        if not (self._come or self.ended):
            if self._lost is not None:
                self._lost.raiseException()
            self._waiting = Deferred()
            self._go_on()
            self._resume()
            self.awaited = True
            try:
                await self._waiting
            finally:
                self.awaited = False
        found, self._come, self._held = self._come, [], 0
        return found

    def refuse(self) -> None:
        """It is not wanted (any more): read a little of it, so that the client sees the answer."""
        self._refused = True
        self.received = 0
        if self._expecting:
            self._channel.loseConnection()
        else:
            self._resume()

    def _go_on(self) -> None:
        if self._expecting:
            self._expecting = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._transport.pauseProducing()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resumeProducing()

    # What threads read past the connection is to be unknown to it, but for the count.

    def _left(self) -> int:
        """Bytes to come that a thread may read itself: all but the last, which ends the request."""
        if self.length is None or self.ended:
            return 0
        return max(0, int(self._channel._transferDecoder.contentLength) - 1)

    def _skip(self, count: int) -> None:
        if count:
            self.received += count
            self._channel._transferDecoder.contentLength -= count

    # From the connection.

    def arrived(self, piece: bytes) -> None:
        """A piece has come."""
        self.received += len(piece)
        if self._refused:
            if self.received > _DRAIN:
                self._channel.loseConnection()
            return
        self._come.append(piece)
        self._held += len(piece)
        if len(self._come) > _APART:
            self._come = [b"".join(self._come)]
        if not self.small:
            if self._held > self._ahead:
                self._pause()
            self._fire(None)

    def all_arrived(self) -> None:
        """The last piece has come."""
        self.ended = True
        # the connection reads on by its own rules
        self._resume()
        self._fire(None)

    def lost(self, reason: Failure) -> None:
        """The connection is gone."""
        if not reason.check(ConnectionLost):  # it was closed, or what came was no TLS
            reason = Failure(ConnectionLost("the client closed the connection"))
        self._lost = reason
        self._fire(reason)

    def _fire(self, result: Failure | None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(result)  # a Failure calls errbacks


def _take(
    pieces: list[bytes],
    source: socket.socket | None,
    most: int,
    write: Callable[[bytes | memoryview], object],
) -> int:
    """In a thread: write what has come, and what comes at once; how much that was."""
    for piece in pieces:
        write(piece)
    taken = 0
    most = min(most, _TURN)
    if source is None or not most:
        return 0
    buffers = itertools.cycle([memoryview(bytearray(min(PIECE, most))) for _ in range(BEHIND + 1)])
    while taken < most:
        buffer = next(buffers)
        try:
            count = source.recv_into(buffer, min(len(buffer), most - taken))
        except OSError:  # nothing more at once, or the connection is lost, as it will find out
            break
        if not count:
            break
        write(buffer[:count])
        taken += count
    return taken
