"""An S3 behind the objectstore that is slow with what a daemon asked for that is dead now."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon
from nova_tx.testing.objectstore_process import Server
from nova_tx.testing.remote_stores import bucket_at, flags_of

HEEDS = "heeds If-None-Match of PUT: yes, If-Match of PUT: yes, If-Match of DELETE: yes"
BEFORE, LATE, NEWER = b"before", os.urandom(1000), os.urandom(1001)


class _Slow:
    """
    Passes on what comes to a port, but keeps one request back until it is told to go on.

    @ivar here: it keeps it.
    """

    def __init__(self, port: int) -> None:
        self._there = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.here, self._go_on = Event(), Event()
        self._answers: Queue[bytes] = Queue()
        self._asked = b""
        Thread(target=self._listen, daemon=True).start()

    def keep(self, asked: bytes) -> None:
        """Keep the next request back that begins so."""
        self._asked = asked

    def go_on(self) -> bytes:
        """Pass it on; the status of its answer."""
        self._go_on.set()
        return self._answers.get(timeout=120)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                there = socket.create_connection(self._there)
                Thread(target=self._requests, args=(client, there), daemon=True).start()
                Thread(target=_pass_on, args=(there, client), daemon=True).start()

    def _requests(self, client: socket.socket, there: socket.socket) -> None:
        with suppress(OSError), there:
            while piece := client.recv(2**16):
                if self._asked and piece.startswith(self._asked):
                    self._asked = b""
                    self._keep(piece, client)
                    return
                there.sendall(piece)

    def _keep(self, request: bytes, client: socket.socket) -> None:
        while b"\r\n\r\n" not in request:
            request += client.recv(2**16)
        head, _, body = request.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(body) < int(fields.get(b"content-length", b"0")):
            body += client.recv(2**16)
        self.here.set()
        self._go_on.wait()
        with socket.create_connection(self._there) as there:
            there.sendall(head + b"\r\n\r\n" + body)
            self._answers.put(there.recv(2**16).split(b" ")[1])


def _pass_on(there: socket.socket, client: socket.socket) -> None:
    with suppress(OSError), client:
        while piece := there.recv(2**16):
            client.sendall(piece)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[_Slow]:
    server = Server(tmp_path / "behind")
    slow = _Slow(server.endpoint.port)
    with bucket_at(server.endpoint.port):
        yield slow
    slow.close()
    server.kill()


def _put(s3: Any) -> None:
    s3.put_object(Bucket="bucket", Key="key", Body=LATE)


def _delete(s3: Any) -> None:
    s3.delete_object(Bucket="bucket", Key="key")


@pytest.mark.parametrize("ask", [_put, _delete])
def test_late(tmp_path: Path, slow: _Slow, ask: Callable[[Any], None]) -> None:
    """A request of who is dead, done after a newer write was acknowledged, undoes nothing."""
    daemon = ObjectstoreDaemon(tmp_path / "front", *flags_of(slow.port, "cloud"))
    try:
        daemon.start()
        s3 = daemon.s3()
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="key", Body=BEFORE)
        slow.keep({_put: b"PUT", _delete: b"DELETE"}[ask] + b" /remote/cloud/objects/bucket/")
        asking = Thread(target=_unanswered, args=(ask, daemon.s3()))
        asking.start()
        assert slow.here.wait(120)
        daemon.kill()
        asking.join(120)
        daemon.start()
        s3.put_object(Bucket="bucket", Key="key", Body=NEWER)
        status = slow.go_on()
        assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == NEWER
        daemon.kill()
        daemon.start()
        assert s3.get_object(Bucket="bucket", Key="key")["Body"].read() == NEWER
        assert status == b"412"
        assert daemon.log().count(HEEDS) == 3
        s3.close()
    finally:
        daemon.close()


def _unanswered(ask: Callable[[Any], None], s3: Any) -> None:
    with suppress(BotoCoreError):
        ask(s3)
    s3.close()
