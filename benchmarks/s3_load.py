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
from typing import Any

from nova_tx.testing.s3_heads import signed

#: Bytes that are sent or taken at a time.
_TURN = 2**20
#: What bodies are made of, again and again.
BLOCK = bytes(range(256)) * (_TURN // 256)


@dataclass(frozen=True)
class Load:
    """
    What to do.

    @ivar targets: what is asked for, by each client in turn; each has one connection, and one
        request in flight.
    @ivar seconds: no request is begun after these; all that were begun end.
    @ivar size: bytes of each body that goes up, or comes down; None: any number.
    @ivar least: requests of each client, however long they take.
    """

    port: int
    method: str
    targets: list[list[str]]
    seconds: float
    size: int | None
    access: str
    secret: str
    least: int = 1


def objects(bucket: str, clients: int, keys: int) -> list[list[str]]:
    """Targets: some objects for each client."""
    return [[f"/{bucket}/{number}-{n}" for n in range(keys)] for number in range(clients)]


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


class _Client:
    """One connection; if the server ends it after an answer, as HTTP/1.0 has it, the next."""

    def __init__(self, load: Load, number: int, more: Callable[[int], bool]) -> None:
        """
        @param more: whether to go on, given how many requests were made.
        """
        self._port = load.port
        self.latencies: list[float] = []
        self._put = (load.size or 0) if load.method == "PUT" else 0
        self._heads = [
            signed(load.method, target, load.access, load.secret, self._put)
            for target in load.targets[number]
        ]
        self._block = memoryview(BLOCK)
        self._size = load.size if load.method == "GET" else None
        self._more = more
        self._buffer = bytearray(_TURN)
        self.connect()
        self.begin()

    def connect(self) -> None:
        """Have a connection."""
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

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
            if not head.startswith((b"http/1.1 20", b"http/1.0 20")):
                raise ConnectionError(bytes(self._buffer[:count]).decode("latin-1"))
            self._ends = b"\r\nconnection: close" in head or head.startswith(b"http/1.0")
            _, found, length = head.partition(b"content-length: ")
            assert found or b"\r\ntransfer-encoding:" not in head, "a body of unknown length"
            self._left = int(length.split(b"\r\n")[0]) if found else 0
            assert self._size in (None, self._left), "another length than was put"
            count -= end + 4
        self._left -= count
        if self._left:
            return True
        self.latencies.append(time.perf_counter() - self._began)
        more = self._more(len(self.latencies))
        if self._ends or not more:
            self.socket.close()
        if more:
            if self._ends:
                self.connect()
            self.begin()
        return more


def drive(load: Load) -> Result:
    """Do it, in this process."""
    end = time.perf_counter() + load.seconds

    def more(made: int) -> bool:
        return made < load.least or time.perf_counter() < end

    began = time.perf_counter()
    latencies: list[float] = []
    with selectors.EpollSelector() as waiting:
        reading, both = selectors.EVENT_READ, selectors.EVENT_READ | selectors.EVENT_WRITE
        for number in range(len(load.targets)):
            client = _Client(load, number, more)
            waiting.register(client.socket, both if client.sending else reading, client)
        while waiting.get_map():
            for key, events in waiting.select():
                client = key.data
                going = True
                if events & selectors.EVENT_READ:
                    before, descriptor = client.socket, client.socket.fileno()
                    going = client.take()
                    if before.fileno() < 0:  # it is closed
                        waiting.unregister(descriptor)
                        if going:
                            key = waiting.register(client.socket, reading, client)
                        else:
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
