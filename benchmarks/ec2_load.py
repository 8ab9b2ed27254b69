"""
A lean EC2 client, in a process of its own: keep-alive connections that repeat one signed request.

The request is signed once (version 4, in the headers, as boto3 does), or anew each time if that
is good for once; the server checks it each time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from nova_tx.auth.signatures import V4_ALGORITHM, v4_signature

_SIGNED = ("content-type", "host", "x-amz-date")


@dataclass(frozen=True)
class Load:
    """
    What is asked, by how many, how often.

    @ivar parameters: C{Action} and what it takes.
    @ivar clients: connections; each asks again when it has its answer.
    @ivar count: requests of all together.
    @ivar seconds: after which nobody asks any more, however few were asked.
    @ivar token: a parameter that has another value each time, such as C{ClientToken}.
    """

    port: int
    access: str
    secret: str
    parameters: Mapping[str, str]
    clients: int = 1
    count: int = 1000
    seconds: float = 10.0
    path: str = "/services/Cloud/"
    token: str = ""
    region: str = "nova"

    def request(self) -> bytes:
        """The request's bytes, signed now."""
        own = {self.token: uuid.uuid4().hex} if self.token else {}
        body = urlencode({"Version": "2016-11-15", **self.parameters, **own})
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{now[:8]}/{self.region}/ec2/aws4_request"
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "host": f"127.0.0.1:{self.port}",
            "x-amz-date": now,
        }
        digest = hashlib.sha256(body.encode()).hexdigest()
        signature = v4_signature(
            self.secret, scope, now, "POST", self.path, (), headers, _SIGNED, digest
        )
        headers["authorization"] = (
            f"{V4_ALGORITHM} Credential={self.access}/{scope}, "
            f"SignedHeaders={';'.join(_SIGNED)}, Signature={signature}"
        )
        headers["content-length"] = str(len(body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n{body}".encode()


@dataclass(frozen=True)
class Result:
    """
    What came of it.

    @ivar latencies: seconds of each request that was answered with 200.
    @ivar seconds: from the first request to the last answer.
    @ivar failures: other answers.
    @ivar size: bytes of the last answer's body.
    """

    latencies: list[float]
    seconds: float
    failures: int
    size: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


def run(load: Load) -> Result:
    """Do it in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.ec2_load"]
    words = json.dumps(asdict(load)).encode()
    done = subprocess.run(argv, input=words, stdout=subprocess.PIPE, check=True)
    return Result(**json.loads(done.stdout))


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, crowd: _Crowd) -> None:
        self._crowd = crowd
        self._data = b""
        self._began = 0.0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        if not self._crowd.may_ask():
            self._transport.close()
            return
        request = self._crowd.request()
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        at = head.lower().index(b"content-length:") + 15
        size = int(head[at:].partition(b"\r\n")[0])
        if len(body) < size:
            return
        self._data = b""
        self._crowd.answered(head.startswith(b"HTTP/1.1 200"), self._began, size)
        if b"connection: close" in head.lower():
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, reason: Exception | None) -> None:
        self.ended.set_result(None)


class _Crowd:
    """All connections."""

    def __init__(self, load: Load) -> None:
        self.request = load.request
        if not load.token:
            same = load.request()
            self.request = lambda: same
        self.latencies: list[float] = []
        self.failures = self.size = 0
        self._load = load
        self._asked = 0
        self._end = time.perf_counter() + load.seconds

    def may_ask(self) -> bool:
        self._asked += 1
        return self._asked <= self._load.count and time.perf_counter() < self._end

    def answered(self, well: bool, began: float, size: int) -> None:
        self.size = size
        if well:
            self.latencies.append(time.perf_counter() - began)
        else:
            self.failures += 1

    async def run(self) -> Result:
        began = time.perf_counter()
        await asyncio.gather(*(self._one() for _ in range(self._load.clients)))
        return Result(self.latencies, time.perf_counter() - began, self.failures, self.size)

    async def _one(self) -> None:
        """A client: another connection whenever the server has ended one."""
        while self._asked < self._load.count and time.perf_counter() < self._end:
            loop = asyncio.get_running_loop()
            _, client = await loop.create_connection(
                lambda: _Client(self), "127.0.0.1", self._load.port
            )
            await client.ended


def main() -> None:
    """Do what stdin says."""
    load = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(asyncio.run(_Crowd(load).run()))))


if __name__ == "__main__":
    main()
