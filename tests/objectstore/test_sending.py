"""How long a thread stays with one client that it sends to."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from nova_tx.objectstore import sending

SIZE = 2**23


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    (tmp_path / "file").write_bytes(bytes(SIZE))
    with open(tmp_path / "file", "rb") as found:
        yield found


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's, with little room in the kernel."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        client.connect(listening.getsockname())
        with listening.accept()[0] as server:
            server.setblocking(False)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**16)
            yield server, client


def test_fast(
    file: BinaryIO,
    ends: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that takes what it is sent gets a whole turn, more than the kernel has room for."""
    server, client = ends
    waits = 0

    def taken(target: socket.socket, milliseconds: float) -> bool:
        nonlocal waits
        assert target is server and 0 < milliseconds <= 60_000
        waits += 1
        client.recv(SIZE)
        return True

    monkeypatch.setattr(sending, "_FAST", 1)
    monkeypatch.setattr(sending, "_WAIT", 60_000.0)
    monkeypatch.setattr(sending, "_takes_more", taken)
    runs = [(0, SIZE)]
    assert sending._send(server, file, runs) == SIZE
    assert runs == [] and waits > 1


def test_slow(
    file: BinaryIO,
    ends: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client that takes nothing is not waited for."""
    server, _ = ends
    monkeypatch.delattr(sending, "_takes_more")
    runs = [(0, SIZE)]
    sent = sending._send(server, file, runs)
    assert 0 < sent < sending._FAST
    assert runs == [(sent, SIZE - sent)]


def test_room(ends: tuple[socket.socket, socket.socket]) -> None:
    """It is known whether the kernel has room again."""
    server, _ = ends
    assert sending._takes_more(server, 60_000.0)
    with pytest.raises(BlockingIOError):
        while True:
            server.send(bytes(2**16))
    assert not sending._takes_more(server, 0.0)
