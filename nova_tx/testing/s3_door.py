"""
The whole objectstore in memory, but its files, and boto3 as its client: what boto3 would send is
given to the daemon's own site, which has answered when it returns.
"""

from __future__ import annotations

import io
import time
from collections.abc import Coroutine
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3  # type: ignore[import-untyped]
from botocore.awsrequest import AWSResponse, HeadersDict  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from nova_tx.auth.lockout import Lockout
from nova_tx.flags import AuthFlags, BackendFlags, CryptoFlags, ImageFlags, S3Flags
from nova_tx.objectstore.site import Objectstore
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore_server import flags_for, known_users
from nova_tx.testing.runner import FakeRunner

T = TypeVar("T")


class S3Door:
    """An objectstore of one directory."""

    def __init__(self, directory: Path) -> None:
        self._flags = flags_for(str(directory))
        self._database = memory_database()
        self._clock = Clock()
        self._clock.advance(time.time())
        self.begin()

    def begin(self) -> None:
        """Start, or start again, as after a crash."""
        auth = self._flags.section(AuthFlags)
        pools = (InlinePool(), InlinePool(), InlinePool())
        self._objectstore = Objectstore(
            self._flags.section(S3Flags),
            self._flags.section(BackendFlags),
            self._flags.section(ImageFlags),
            self._flags.section(CryptoFlags),
            auth,
            _now(known_users()),
            Lockout(self._database, auth, self._clock),
            self._database,
            FakeRunner(),
            self._clock,
            pools,
        )
        _now(self._objectstore.open())

    def client(self, project: str = "joe", **config: Any) -> Any:
        """boto3's, for a project's user."""
        client = boto3.client(
            "s3",
            endpoint_url="http://127.0.0.1:3333",
            aws_access_key_id=f"{project}-access:{project}",
            aws_secret_access_key=f"{project}-secret",
            region_name="nova",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, **config),
        )
        client.meta.events.register("before-send.s3", self._send)
        return client

    def _send(self, request: Any, **_: object) -> AWSResponse:
        url = urlsplit(request.url)
        body = request.body or b""
        if not isinstance(body, bytes | bytearray):
            body = body.read()
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers.pop("expect", None)  # nobody waits for that here
        headers |= {"host": url.netloc, "content-length": str(len(body))}
        target = url.path + (f"?{url.query}" if url.query else "")
        lines = [f"{request.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._clock.advance(max(0.0, time.time() - self._clock.seconds()))
        answer = self.exchange("\r\n".join([*lines, "", ""]).encode() + body)
        found = _response(answer, request.method)
        return AWSResponse(request.url, found.status, HeadersDict(found.getheaders()), _Raw(found))

    def exchange(self, content: bytes) -> bytes:
        """What is answered to what is sent over a connection of its own."""
        here = IPv4Address("TCP", "127.0.0.1", 3333)
        protocol = self._objectstore.site.buildProtocol(here)
        transport = StringTransport(hostAddress=here, peerAddress=here)
        assert protocol is not None
        protocol.makeConnection(transport)
        # as much at a time as a connection would give
        for first in range(0, len(content), 2**16):
            protocol.dataReceived(content[first : first + 2**16])
        return bytes(transport.value())


class _Raw(io.BytesIO):
    """The body of an answer, as botocore takes it."""

    def __init__(self, found: HTTPResponse) -> None:
        super().__init__(found.read())

    def stream(self, *_: object, **__: object) -> Any:
        yield self.getvalue()


class _Socket:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._content)


def _response(content: bytes, method: str) -> HTTPResponse:
    found = HTTPResponse(_Socket(content), method=method)  # type: ignore[arg-type]
    found.begin()
    return found


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _now(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that waits for nothing."""
    done: list[T] = []
    _ = Deferred.fromCoroutine(work).addCallback(done.append)
    [found] = done
    return found
