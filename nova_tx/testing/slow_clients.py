"""
A thousand connections of one process whose clients are slow: some take, some send, some wait.
Blocking, without the reactor.
"""

from __future__ import annotations

import hashlib
import selectors
import socket
import time
from collections.abc import Callable, Sequence

#: What bodies are made of, again and again.
BLOCK = bytes(range(256)) * 256
#: Bytes that the kernel may hold for a client that does not take them.
_HELD = 2**14


class SlowClient:
    """
    A connection with one request at most.

    @ivar content: bytes of the answer's body so far.
    @ivar answered: the answer is whole.
    """

    def __init__(self, port: int, head: bytes = b"", size: int = 0) -> None:
        """
        @param head: of the request; without one it is a connection that waits.
        @param size: bytes of its body.
        """
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HELD)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.content = 0
        self.answered = not head
        self._head = b""
        self._length: int | None = None
        self._size = size
        self._sent = 0
        self._digest = hashlib.md5(usedforsecurity=False)
        if head:
            assert self.socket.send(head) == len(head)

    @property
    def moved(self) -> int:
        """Bytes of bodies that were taken and sent."""
        return self.content + self._sent

    @property
    def sending(self) -> bool:
        """Whether there is something to send."""
        return self._sent < self._size

    def send(self, most: int) -> None:
        """Send some of the body."""
        first = self._sent % len(BLOCK)
        piece = BLOCK[first : first + min(most, self._size - self._sent)]
        try:
            count = self.socket.send(piece)
        except BlockingIOError:
            return
        self._digest.update(piece[:count])
        self._sent += count

    def take(self, most: int) -> None:
        """
        Take some of the answer.

        @raise AssertionError: it is not what it should be.
        """
        try:
            piece = self.socket.recv(most)
        except BlockingIOError:
            return
        assert piece, f"the connection was closed after {self.content} bytes"
        if self._length is None:
            self._head += piece
            head, end, piece = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._begin(head.decode("latin-1"))
        assert self._length is not None
        for first in range(0, len(piece), len(BLOCK)):
            at, some = (self.content + first) % len(BLOCK), piece[first : first + len(BLOCK)]
            assert (BLOCK[at:] + BLOCK[:at]).startswith(some), f"other bytes at {self.content}"
        self.content += len(piece)
        self.answered = self.content == self._length

    def _begin(self, head: str) -> None:
        lines = head.lower().split("\r\n")
        assert lines[0].startswith("http/1.1 200"), head
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self._length = int(fields["content-length"])
        if self._size:
            assert not self.sending, "an answer before the body's end"
            assert fields["etag"] == f'"{self._digest.hexdigest()}"'


class SlowClients:
    """
    Many of them.

    @ivar all: each.
    """

    def __init__(self, all: Sequence[SlowClient]) -> None:
        self.all = list(all)

    def step(self, most: int) -> None:
        """Each of them takes or sends so many bytes at most."""
        for each in self.all:
            if each.sending:
                each.send(most)
            elif not each.answered:
                each.take(most)

    def finish(self, seconds: float, meanwhile: Callable[[], object] = lambda: None) -> None:
        """
        Let them take and send as fast as they can, until all have their answers.

        @param meanwhile: called now and then.
        @raise AssertionError: they have not in so many seconds, or other ones than they should.
        """
        end = time.monotonic() + seconds
        with selectors.EpollSelector() as waiting:
            for each in self.all:
                if not each.answered:
                    waiting.register(each.socket, _events(each), each)
            while waiting.get_map():
                assert time.monotonic() < end, f"{len(waiting.get_map())} have no answer"
                for key, _ in waiting.select(1.0):
                    client: SlowClient = key.data
                    if client.sending:
                        client.send(2**18)
                    else:
                        client.take(2**18)
                    if client.answered:
                        waiting.unregister(client.socket)
                    elif key.events != _events(client):
                        waiting.modify(client.socket, _events(client), client)
                meanwhile()

    def close(self) -> None:
        """Close all connections."""
        for each in self.all:
            each.socket.close()


def _events(client: SlowClient) -> int:
    return selectors.EVENT_WRITE if client.sending else selectors.EVENT_READ
