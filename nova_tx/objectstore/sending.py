"""
Parts of a file on their way out: the kernel sends them from the disk's cache, asked by threads.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPullProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.objectstore.threads import IPool

#: Bytes that a thread sends before it lets others have their turn.
_TURN = 2**23


@implementer(IPullProducer)
class FileSender:
    """
    Sends runs of a file over a TCP connection whose owner writes nothing meanwhile.

    @ivar sent: bytes so far.
    @ivar awaited: it is the client's turn to take.
    @ivar done: fires when all was sent with True; with False if that can't be.
    """

    def __init__(
        self, transport: Any, file: BinaryIO, runs: Sequence[tuple[int, int]], pool: IPool
    ) -> None:
        """
        @param transport: a TCP connection.
        @param runs: what to send, in order: the first byte, and how many; none is empty.
        """
        self.sent = 0
        self.awaited = True
        self.done: Deferred[bool] = Deferred()
        self._transport = transport
        # the threads' own: the connection may be closed while they write to it
        self._target: socket.socket = transport.getHandle().dup()
        self._file = file
        self._runs = list(runs)
        self._pool = pool
        self._owner: Any = None  # who produces for the connection before and after
        self._stopped = False

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
    while runs and sent < _TURN:
        first, left = runs[0]
        try:
            count = os.sendfile(target.fileno(), file.fileno(), first, left)
        except BlockingIOError:
            break
        if not count:
            raise EOFError("the file is shorter than it was")
        sent += count
        runs[:1] = [(first + count, left - count)] if count < left else []
    return sent
