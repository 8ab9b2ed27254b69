"""
Parts of a file on their way out, at the pace of who takes them.

Over a plain connection the kernel sends them from the disk's cache, asked by threads; over TLS
see L{nova_tx.objectstore.pieces}.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any, BinaryIO, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.objectstore.link import own_socket, waiting
from nova_tx.objectstore.pieces import PieceSender
from nova_tx.objectstore.threads import IPool

#: Bytes that a thread sends before it lets others have their turn.
_TURN = 2**23
#: A client that has taken so many bytes in a turn is waited for in it, milliseconds at most: that
#: is sooner than the loop and another turn.  One that is slow has not.
_FAST, _WAIT = 2**19, 4.0


class Sender(Protocol):
    """
    Sends runs of a file as (a part of) an answer's body.

    @ivar sent: bytes so far.
    @ivar taken: those of them that the client has taken.
    @ivar awaited: it is the client's turn to take.
    @ivar done: fires when all was sent with True; with False if that can't be.
    """

    sent: int
    done: Deferred[bool]

    @property
    def taken(self) -> int: ...

    @property
    def awaited(self) -> bool: ...

    def start(self) -> None:
        """Begin."""


def sender(request: Any, file: BinaryIO, runs: Sequence[tuple[int, int]], pool: IPool) -> Sender:
    """
    What sends runs of a file to who made a request, whose connection is there.

    @param runs: what to send, in order: the first byte, and how many; none is empty.
    """
    transport = request.channel.transport
    target = own_socket(transport)
    if target is None:
        return PieceSender(request, file, runs, pool)
    return FileSender(transport, target, file, runs, pool)


@implementer(IPullProducer)
class FileSender:
    """A L{Sender} over a TCP connection whose owner writes nothing meanwhile."""

    def __init__(
        self,
        transport: Any,
        target: socket.socket,
        file: BinaryIO,
        runs: Sequence[tuple[int, int]],
        pool: IPool,
    ) -> None:
        """
        @param transport: a TCP connection.
        @param target: its socket, the threads' own; is closed in the end.
        """
        self.sent = 0
        self.awaited = True
        self.done: Deferred[bool] = Deferred()
        self._transport = transport
        self._target = target
        self._file = file
        self._runs = list(runs)
        self._pool = pool
        self._owner: Any = None  # who produces for the connection before and after
        self._stopped = False

    @property
    def taken(self) -> int:
        """
        Bytes that the client has taken: of those sent, the kernel may hold megabytes.

        It takes no more before a third of them have gone, which may be a while.
        """
        if self.done.called:
            return self.sent
        return self.sent - waiting(self._target)

    def start(self) -> None:
        """Begin, as soon as what was written to the connection before has gone out."""
        self._owner = self._transport.producer
        self._transport.unregisterProducer()
        self.awaited = False
        self._transport.registerProducer(self, False)  # which calls us at once, too early
        self.awaited = True
        self._transport.startWriting()

    # From the connection, when it has nothing to write and could.

    def resumeProducing(self) -> None:
        if not self.awaited:
            return
        self.awaited = False
        turn = self._pool.run(_send, self._target, self._file, self._runs)
        _ = turn.addCallbacks(self._turned, self._failed)

    def stopProducing(self) -> None:
        self._stopped = True
        if self.awaited:
            self._end(False)

    def _turned(self, count: int) -> None:
        self.awaited = True
        self.sent += count
        if self._stopped:
            self._end(False)
        elif self._runs:
            self._transport.startWriting()
        else:
            self._end(True)

    def _failed(self, failure: Failure) -> None:
        # the connection is lost or the file is short: there is no other way to say so
        self.awaited = True
        self._end(False)

    def _end(self, whole: bool) -> None:
        self._target.close()
        if not self._stopped:
            self._transport.unregisterProducer()
            self._transport.registerProducer(self._owner, True)
            self._owner.resumeProducing()
        self.done.callback(whole)


def _send(target: socket.socket, file: BinaryIO, runs: list[tuple[int, int]]) -> int:
    """In a thread: send what the connection takes at once, and take it off; how much that was."""
    sent = 0
    end: float | None = None
    while runs and sent < _TURN:
        first, left = runs[0]
        try:
            count = os.sendfile(target.fileno(), file.fileno(), first, left)
        except BlockingIOError:
            now = time.monotonic() * 1000
            end = now + _WAIT if end is None else end
            if sent < _FAST or now >= end or not _takes_more(target, end - now):
                break
            continue
        if not count:
            raise EOFError("the file is shorter than it was")
        sent += count
        runs[:1] = [(first + count, left - count)] if count < left else []
    return sent


def _takes_more(target: socket.socket, milliseconds: float) -> bool:
    waiting = select.poll()
    waiting.register(target, select.POLLOUT)
    return bool(waiting.poll(milliseconds))
