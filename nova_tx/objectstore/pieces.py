"""
Parts of a file on their way out over TLS: threads read them, and the event loop encrypts them, as
fast as they are taken.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred

from nova_tx.objectstore.relaying import Relay
from nova_tx.objectstore.threads import IPool

#: Bytes that a thread reads at a time, and those of them that are encrypted at once.
_PIECE, _SLICE = 2**18, 2**16


class PieceSender(Relay):
    """Has an answer's body written as everyone does, a slice at a time."""

    def __init__(
        self, request: Any, file: BinaryIO, runs: Sequence[tuple[int, int]], pool: IPool
    ) -> None:
        super().__init__(request, sum(count for _, count in runs))
        self.done: Deferred[bool] = Deferred()
        self._file = file
        self._runs = list(runs)
        self._pool = pool

    def start(self) -> None:
        """Begin, as soon as what was written to the connection before has gone out."""
        sending = Deferred.fromCoroutine(self.send(self._slices()))
        # the file is short: there is no other way to say so
        _ = sending.addErrback(lambda _: False).addCallback(self.done.callback)

    async def _slices(self) -> AsyncIterator[bytes]:
        while self._runs:
            piece = await self._pool.run(_read, self._file, self._runs)
            for first in range(0, len(piece), _SLICE):
                yield piece[first : first + _SLICE]


def _read(file: BinaryIO, runs: list[tuple[int, int]]) -> bytes:
    """In a thread: the next piece of the first run, and take it off."""
    first, left = runs[0]
    piece = os.pread(file.fileno(), min(left, _PIECE), first)
    if not piece:
        raise EOFError("the file is shorter than it was")
    count = len(piece)
    runs[:1] = [(first + count, left - count)] if count < left else []
    return piece
