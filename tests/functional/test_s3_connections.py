"""As many connections as the objectstore takes, most of their clients slow."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from nova_tx.flags import S3Flags
from nova_tx.objectstore.bounds import SMALL, memory
from nova_tx.testing.daemons import until
from nova_tx.testing.objectstore_daemon import ObjectstoreDaemon, running_daemon
from nova_tx.testing.s3_heads import signed
from nova_tx.testing.slow_clients import BLOCK, SlowClient, SlowClients

#: All that are served, but for one ordinary client's.
CONNECTIONS = S3Flags().s3_max_connections - 1
LARGE, LONG = 4 * 2**20, 2**20
#: Bytes that a client takes or sends at a time, and how often: enough for a slow sender of a large
#: body to have more under way than is gathered for the file.
PACE, STEPS = 2**12, 20


@pytest.fixture(scope="module", autouse=True)
def _descriptors() -> Iterator[None]:
    """One for each connection here, three in the daemon, which inherits the limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = max(before[1], 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[0], hard))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[ObjectstoreDaemon]:
    # here they stand still as long as others on a slow machine need for their turns
    with running_daemon(tmp_path, "--s3_client_timeout=600") as running:
        yield running


def test_slow_connections(daemon: ObjectstoreDaemon) -> None:
    """A thousand slow clients take no more memory than is said, hinder nobody, and are served."""
    ordinary = daemon.s3()
    ordinary.create_bucket(Bucket="bucket")
    ordinary.put_object(Bucket="bucket", Key="large", Body=BLOCK * (LARGE // len(BLOCK)))
    ordinary.put_object(Bucket="bucket", Key="small", Body=BLOCK[:SMALL])
    ordinary.put_object(Bucket="bucket", Key="ordinary", Body=b"o" * 1024)
    _ask(ordinary)
    descriptors = _descriptors_of(daemon)
    # what the daemon loads and keeps for the first of each kind is not the connections'
    _use(daemon, 20, ordinary)
    idle = daemon.memory("VmRSS")
    _use(daemon, CONNECTIONS, ordinary)
    grown = daemon.memory("VmHWM") - idle
    print(f"grown {grown / 2**20:.1f} MiB, bound {memory(CONNECTIONS + 1) / 2**20:.1f} MiB")
    assert grown <= memory(CONNECTIONS + 1)
    # the ordinary client's connection stays
    until(lambda: _descriptors_of(daemon) <= descriptors, "the descriptors to come back")
    new = daemon.directory / "buckets" / ".new"
    assert [path for path in new.rglob("*") if path.is_file()] == []


def _use(daemon: ObjectstoreDaemon, count: int, ordinary: Any) -> None:
    """Have so many clients, each with its request under way, and then all served."""
    clients = SlowClients([_client(daemon.port, number) for number in range(count)])
    try:
        for _ in range(STEPS):
            clients.step(PACE)
            _ask(ordinary)
        # none is done who takes or sends a large one
        assert sum(not each.answered for each in clients.all) >= count * 6 // 10
        if count == CONNECTIONS:
            _one_more(daemon.port)
        clients.finish(300.0, lambda: _ask(ordinary))
    finally:
        clients.close()


def _client(port: int, number: int) -> SlowClient:
    """Of ten three take a large object, one a small, three send a large, one a small, two wait."""
    kind = number % 10
    if kind in (8, 9):
        return SlowClient(port)
    size = SMALL if kind in (3, 7) else LONG
    if kind < 4:
        target = "/bucket/small" if size == SMALL else "/bucket/large"
        return SlowClient(port, _head("GET", target, 0))
    return SlowClient(port, _head("PUT", f"/bucket/{number}", size), size)


def _head(method: str, target: str, size: int) -> bytes:
    return signed(method, target, "joe-access:joe", "joe-secret", size)


def _ask(ordinary: Any) -> None:
    found = ordinary.get_object(Bucket="bucket", Key="ordinary")["Body"].read()
    assert found == b"o" * 1024


def _one_more(port: int) -> None:
    """A connection too many is told so, in S3's words."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(_head("GET", "/bucket/ordinary", 0))
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"<Code>SlowDown</Code>" in answer


def _descriptors_of(daemon: ObjectstoreDaemon) -> int:
    """How many it has of connections and of objects; the database's are others."""
    count = 0
    for each in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            target = os.readlink(each)
            count += target.startswith(("socket:", f"{daemon.directory}/buckets/"))
    return count
