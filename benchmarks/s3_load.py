"""
A lean client of S3 and of plain HTTP servers: some connections, one process, requests signed once.

C{python -m benchmarks.s3_load}: a L{Load} as JSON on stdin, a L{Result} as JSON on stdout.
"""

from __future__ import annotations

import dataclasses
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from nova_tx.auth.s3_signatures import S3Request, v2_signature

#: Bytes that are sent or taken at a time.
_TURN = 2**20


@dataclass(frozen=True)
class Load:
    """
    What to do.

    @ivar clients: connections, each with one request in flight.
    @ivar seconds: no request is begun after these; all that were begun end.
    @ivar keys: objects of each client, used in turn.
    @ivar size: bytes of each.
    @ivar least: requests of each client, however long they take.
    """

    port: int
    method: str
    bucket: str
    clients: int
    seconds: float
    size: int
    access: str
    secret: str
    keys: int = 64
    least: int = 1


@dataclass(frozen=True)
class Result:
    """
    What became of it.

    @ivar latencies: seconds of each request, sorted.
    @ivar elapsed: seconds until the last one had ended.
    """

    latencies: list[float]
    elapsed: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.elapsed


def signed(method: str, path: str, access: str, secret: str, size: int) -> bytes:
    """A request's first line and headers, with a version 2 signature."""
    fields = {"host": "127.0.0.1", "date": formatdate(usegmt=True)}
    if method == "PUT":
        fields["content-length"] = str(size)
        fields["content-type"] = "binary/octet-stream"
    signature = v2_signature(secret, S3Request(method, path, (), fields))
    fields["authorization"] = f"AWS {access}:{signature}"
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {each}" for name, each in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class _Client:
    """One connection."""

    def __init__(self, load: Load, number: int, block: bytes, more: Callable[[int], bool]) -> None:
        """
        @param block: what bodies are made of.
        @param more: whether to go on, given how many requests were made.
        """
        self.socket = socket.create_connection(("127.0.0.1", load.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.latencies: list[float] = []
        self._heads = [
            signed(load.method, f"/{load.bucket}/{number}-{n}", load.access, load.secret, load.size)
            for n in range(load.keys)
        ]
        self._block = memoryview(block)
        self._put = load.size if load.method == "PUT" else 0
        self._size = load.size if load.method == "GET" else None
        self._more = more
        self._buffer = bytearray(_TURN)
        self.begin()

    def begin(self) -> None:
        """Send the next request, or what can be sent of it."""
        head = self._heads[len(self.latencies) % len(self._heads)]
        first = min(self._put, len(self._block) if self._put <= _TURN else 0)
        self._left: int | None = None
        self._out = memoryview(head + self._block[:first])
        self._later = self._put - first
        self._began = time.perf_counter()
        self.send()

    def send(self) -> None:
        """Go on sending."""
        while self.sending:
            if not self._out:
                self._out = self._block[: min(self._later, _TURN)]
                self._later -= len(self._out)
            try:
                sent = self.socket.send(self._out)
            except BlockingIOError:
                return
            self._out = self._out[sent:]

    @property
    def sending(self) -> bool:
        """Whether there is something to send."""
        return bool(self._out) or self._later > 0

    def take(self) -> bool:
        """Take what has come; False when the last answer is whole."""
        count = self.socket.recv_into(self._buffer)
        if not count:
            raise ConnectionError("the server closed the connection")
        if self._left is None:
            end = self._buffer.find(b"\r\n\r\n", 0, count)
            assert end > 0, "a head in pieces"
            head = bytes(self._buffer[:end]).lower()
            if not head.startswith(b"http/1.1 20"):
                raise ConnectionError(bytes(self._buffer[:count]).decode("latin-1"))
            _, found, length = head.partition(b"content-length: ")
            self._left = int(length.split(b"\r\n")[0]) if found else 0
            assert self._size in (None, self._left), "another length than was put"
            count -= end + 4
        self._left -= count
        if self._left:
            return True
        self.latencies.append(time.perf_counter() - self._began)
        if self._more(len(self.latencies)):
            self.begin()
            return True
        self.socket.close()
        return False


def drive(load: Load) -> Result:
    """Do it, in this process."""
    block = bytes(range(256)) * (_TURN // 256)
    end = time.perf_counter() + load.seconds

    def more(made: int) -> bool:
        return made < load.least or time.perf_counter() < end

    began = time.perf_counter()
    latencies: list[float] = []
    with selectors.EpollSelector() as waiting:
        reading, both = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
        for number in range(load.clients):
            client = _Client(load, number, block, more)
            waiting.register(client.socket, both if client.sending else reading, client)
        while waiting.get_map():
            for key, events in waiting.select():
                client = key.data
                going = True
                if events & selectors.EVENT_READ:
                    descriptor = client.socket.fileno()
                    going = client.take()
                    if not going:
                        waiting.unregister(descriptor)
                        latencies += client.latencies
                elif events & selectors.EVENT_WRITE:
                    client.send()
                wanted = both if client.sending else reading
                if going and wanted != key.events:
                    waiting.modify(client.socket, wanted, client)
    return Result(sorted(latencies), time.perf_counter() - began)


def start(load: Load) -> subprocess.Popen[bytes]:
    """Do it, in a process of its own."""
    job = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.s3_load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert job.stdin is not None
    job.stdin.write(json.dumps(dataclasses.asdict(load)).encode())
    job.stdin.close()
    job.stdin = None
    return job


def finish(job: subprocess.Popen[bytes]) -> Result:
    """What became of it."""
    out, _ = job.communicate()
    if job.returncode:
        raise RuntimeError("the load could not be put on")
    found: dict[str, Any] = json.loads(out)
    return Result(**found)


def run(load: Load) -> Result:
    """L{start} and L{finish}."""
    return finish(start(load))


if __name__ == "__main__":
    json.dump(dataclasses.asdict(drive(Load(**json.load(sys.stdin)))), sys.stdout)
