"""
Parts of a file on their way out over TLS: threads read them, and the event loop encrypts them, as
fast as they are taken.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.objectstore.link import waiting
from nova_tx.objectstore.threads import IPool

#: Bytes that a thread reads at a time, and those of them that are encrypted at once.
_PIECE, _SLICE = 2**18, 2**16


@implementer(IPushProducer)
class PieceSender:
    """Has an answer's body written as everyone does, a slice at a time."""

    def __init__(
        self, request: Any, file: BinaryIO, runs: Sequence[tuple[int, int]], pool: IPool
    ) -> None:
        self.sent = 0
        self.done: Deferred[bool] = Deferred()
        self._request = request
        self._file = file
        self._runs = list(runs)
        self._pool = pool
        self._piece = memoryview(b"")
        self._reading = self._stopped = False
        # answers of before may still be on their way
        self._paused: bool = request.channel._waitingForTransport

    @property
    def awaited(self) -> bool:
        """Whether it is the client's turn."""
        return self._paused and not self._reading

    @property
    def taken(self) -> int:
        """Bytes that the client has taken, but for what encryption adds to those on their way."""
        if self.done.called or self._stopped:
            return self.sent
        return max(0, self.sent - waiting(self._request.channel.transport))

    def start(self) -> None:
        """Begin, as soon as what was written to the connection before has gone out."""
        self._request.registerProducer(self, True)
        self._go_on()

    # From the connection, by way of the request's channel.

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._stopped = True
        self._go_on()

    def _go_on(self) -> None:
        """Write until it is the client's turn; all is sent when it has been so and is not."""
        if self._reading or self.done.called:
            return
        while self._piece and not (self._paused or self._stopped):
            some, self._piece = self._piece[:_SLICE], self._piece[_SLICE:]
            self.sent += len(some)
            self._request.write(bytes(some))
        if self._stopped:
            self._end(False)
        elif self._paused:
            return
        elif self._runs:
            self._reading = True
            reading = self._pool.run(_read, self._file, self._runs)
            _ = reading.addCallbacks(self._came, self._failed)
        else:
            self._end(True)

    def _came(self, piece: bytes) -> None:
        self._reading = False
        self._piece = memoryview(piece)
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        # the file is short: there is no other way to say so
        self._reading = False
        self._end(False)

    def _end(self, whole: bool) -> None:
        if self.done.called:
            return
        if not self._stopped:
            self._request.unregisterProducer()
        self.done.callback(whole)


def _read(file: BinaryIO, runs: list[tuple[int, int]]) -> bytes:
    """In a thread: the next piece of the first run, and take it off."""
    first, left = runs[0]
    piece = os.pread(file.fileno(), min(left, _PIECE), first)
    if not piece:
        raise EOFError("the file is shorter than it was")
    count = len(piece)
    runs[:1] = [(first + count, left - count)] if count < left else []
    return piece
