"""The objectstore in a process of its own, and clients that stand still."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.testing.certificates import Authority
from nova_tx.testing.objectstore_process import Server

SECONDS = 1


class _Server(Server):
    """Also says where its unfinished files are, and sends what is no whole request."""

    @property
    def new(self) -> Path:
        return self.directory / "buckets" / ".new"

    def send(self, method: str, path: str, more: bytes = b"", **headers: str) -> socket.socket:
        """Send a request's head, and what is given of its body."""
        fields = {**self.sign(method, path), "host": "x", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {it}" for name, it in fields.items())]
        connection = self.endpoint.connect()
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + more)
        return connection

    def put(self, path: str, content: bytes = b"") -> None:
        with self.send("PUT", path, content, **{"content-length": str(len(content))}) as found:
            assert found.recv(12) == b"HTTP/1.1 200"

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture(scope="module", params=["plain", "TLS"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[_Server]:
    directory = tmp_path_factory.mktemp("patience")
    authority = Authority(directory / "authority") if request.param == "TLS" else None
    found = _Server(directory, f"--s3_client_timeout={SECONDS}", authority=authority)
    try:
        found.put("/bucket")
        yield found
    finally:
        found.kill()


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
    with server.endpoint.connect() as found:
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


def test_nothing_said(server: _Server) -> None:
    """Nor is who says nothing at all, not even hello for TLS."""
    with socket.create_connection(("127.0.0.1", server.endpoint.port), 120) as found:
        assert _ends(found) == b""


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
