"""The objectstore in a process of its own, and clients that stand still."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.auth.s3_signatures import S3Request, v2_signature

SECONDS = 1


class _Server:
    """Its port, and where its files are."""

    def __init__(self, directory: Path, port: int, pid: int) -> None:
        self.new = directory / "buckets" / ".new"
        self.port = port
        self.pid = pid

    def send(self, method: str, path: str, more: bytes = b"", **headers: str) -> socket.socket:
        """Send a request's head, and what is given of its body."""
        fields = {"date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())}
        signature = v2_signature("joe-secret", S3Request(method, path, (), fields))
        fields |= {"authorization": f"AWS joe-access:joe:{signature}", "host": "x", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {it}" for name, it in fields.items())]
        connection = socket.create_connection(("127.0.0.1", self.port), 120)
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + more)
        return connection

    def put(self, path: str, content: bytes = b"") -> None:
        with self.send("PUT", path, content, **{"content-length": str(len(content))}) as found:
            assert found.recv(12) == b"HTTP/1.1 200"

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    directory = tmp_path_factory.mktemp("patience")
    argv = [sys.executable, "-m", "nova_tx.testing.objectstore_server", str(directory), "0"]
    with subprocess.Popen(
        [*argv, f"--s3_client_timeout={SECONDS}"], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            found = _Server(directory, int(process.stdout.readline()), process.pid)
            found.put("/bucket")
            yield found
        finally:
            process.kill()


def _ends(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed, which it is."""
    found = b""
    try:
        while data := connection.recv(2**20):
            found += data
    except ConnectionResetError:
        pass
    return found


@pytest.mark.parametrize("length", [1000, 2**30])
def test_sender_stops(server: _Server, length: int) -> None:
    """A client that stops in the middle of a body is cut off, and leaves nothing."""
    with server.send("PUT", "/bucket/key", b"x" * 500, **{"content-length": str(length)}) as found:
        assert _ends(found) == b""
    _wait(lambda: list(server.new.iterdir()) == [])


def test_head_stops(server: _Server) -> None:
    """A head that comes byte by byte is not waited for longer than one that does not come."""
    with socket.create_connection(("127.0.0.1", server.port), 120) as found:
        found.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx-more: ")
        found.settimeout(SECONDS / 10)
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end
            try:
                found.sendall(b"x")
                if not found.recv(1000):
                    break
            except TimeoutError:
                continue
            except OSError:
                break


def test_reader_stops(server: _Server) -> None:
    """A client that takes nothing of a large object is cut off, and its file is closed."""
    server.put("/bucket/large", bytes(2**26))
    before = server.descriptors
    with server.send("GET", "/bucket/large") as found:
        assert found.recv(12) == b"HTTP/1.1 200"
        _wait(lambda: server.descriptors > before)
        _wait(lambda: server.descriptors <= before)
        assert len(_ends(found)) < 2**26


def test_refused_stops(server: _Server) -> None:
    """A client whose body was refused, and who does not send it, is cut off."""
    with server.send("PUT", "/nothing/key", b"x" * 500, **{"content-length": "1000"}) as found:
        assert _ends(found).startswith(b"HTTP/1.1 404 ")


def test_between(server: _Server) -> None:
    """A connection that is kept and not used is closed; in time, it serves again."""
    with server.send("GET", "/bucket/nothing") as found:
        assert found.recv(12) == b"HTTP/1.1 404"
        _ends(found)


def _wait(ready):  # type: ignore[no-untyped-def]
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)
