"""
How long a client is waited for: what it sends and takes must go on, and its connection must not
be held for nothing.

From a request's first byte, its head must be there in time.  Then, while it is the client's turn,
L{LEAST} bytes must come or go in each such time; so a client that is slow is served, and one that
stands still, or gives a byte now and then, is not.  Between requests, and while the rest of a
body that was refused is read, the time is the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from twisted.web.http import HTTPChannel

from nova_tx.objectstore.malformed import malformed_answer
from nova_tx.objectstore.request import StreamingRequest

#: Bytes that have to come or go in the time a client is given.
LEAST = 2**16


class Pace:
    """How a client gets on with one request."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._moved = 0

    def stands(self, now: float, awaited: bool, moved: int) -> float:
        """
        Seconds for which the client has not moved on.

        @param awaited: it is the client's turn.
        @param moved: bytes that came and went so far.
        """
        if not awaited or moved >= self._moved + LEAST:
            self._since = now
            self._moved = moved
        return now - self._since


class Watch:
    """Cuts off those who stand still."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._paces: dict[StreamingRequest, Pace] = {}

    def look(self, running: Iterable[StreamingRequest], now: float) -> None:
        """Look at the requests that are being served; to be called several times in C{seconds}."""
        before, self._paces = self._paces, {}
        for request in list(running):
            pace = self._paces[request] = before.get(request) or Pace(now)
            if pace.stands(now, request.awaited, request.moved) >= self._seconds:
                request.cut()


class Channel(HTTPChannel):
    """
    A connection.

    L{HTTPChannel} has a time-out that each byte puts off, and none while it
    serves a request; here a byte puts it off between requests only.
    """

    requests: list[Any]
    _host: Any = None

    def getHost(self) -> Any:
        """Our end, which each request wants to know: the kernel is asked once."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def resetTimeout(self) -> None:
        if not (self.requests or self._buffer):
            super().resetTimeout()

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a length of more digits than Python reads
            self._respondToBadRequestAndDisconnect()
            return False

    def lineLengthExceeded(self, line: bytes) -> None:
        self._refuse(True)

    def _respondToBadRequestAndDisconnect(self) -> None:
        too_many = self._receivedHeaderCount > self.maxHeaders
        self._refuse(too_many or self._receivedHeaderSize > self.totalHeadersSize)

    def _refuse(self, too_long: bool) -> None:
        """Answer what is no request, unless that would be taken for another answer."""
        if not self.requests or (len(self.requests) == 1 and not self.requests[0].startedWriting):
            self.write(malformed_answer(time.time(), too_long))
        self.loseConnection()
