"""
Bodies that really pass, for tests of stores: requests on loopback that the test serves itself.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, TypeVar

import treq
from twisted.internet.defer import Deferred
from twisted.web.client import Agent, FileBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import Site

from nova_tx.auth.s3_payload import PlainPayload
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.interfaces import Condition, IFound
from nova_tx.objectstore.patience import Channel
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.uploads import Part, Upload

T = TypeVar("T")

Work = Callable[[StreamingRequest], Awaitable[None]]


class _Stage(Site):
    """Gives each request to what is to be done with the next."""

    protocol = Channel  # type: ignore[assignment]

    def __init__(self, reactor: Any) -> None:
        super().__init__(Resource(), StreamingRequest, reactor=reactor, timeout=60)
        self.work: Work

    def serve(self, request: StreamingRequest) -> None:
        # who waits for it sees to its errors
        _ = Deferred.fromCoroutine(self._serve(request, self.work))

    async def _serve(self, request: StreamingRequest, work: Work) -> None:
        await work(request)


class Exchange:
    """A client and a server of this process; one request at a time."""

    def __init__(self, reactor: Any, stage: _Stage, port: int) -> None:
        self._agent: Any = Agent(reactor)
        self._stage = stage
        self._port = port

    async def put(
        self,
        store: Any,
        bucket: str,
        key: str,
        content: bytes,
        *,
        condition: Condition | None = None,
        said: dict[str, str] | None = None,
        **given: Any,
    ) -> Facts:
        """
        An object, as a client sends it.

        @param said: headers.
        @param given: more for L{Intake}.
        """

        async def receive(body: Body) -> Facts:
            intake = Intake(said or {}, PlainPayload(None), **given)
            found: Facts = await store.receive(bucket, key, body, intake, condition)
            return found

        return await self._send(receive, content)

    async def put_part(
        self,
        store: Any,
        upload: Upload,
        number: int,
        content: bytes,
        said: dict[str, str] | None = None,
    ) -> Part:
        """A part of an upload into the bucket C{bucket}, as a client sends it."""

        async def receive(body: Body) -> Part:
            intake = Intake(said or {}, PlainPayload(None))
            part: Part = await store.receive_part(
                "bucket", upload.key, upload.id, number, body, intake
            )
            return part

        return await self._send(receive, content)

    async def _send(self, receive: Callable[[Body], Awaitable[T]], content: bytes) -> T:
        """What comes of a body that is sent."""
        ended: Deferred[T] = Deferred()

        async def serve(request: StreamingRequest) -> None:
            try:
                found = await receive(request.body)
            except Exception as error:
                request.answer(400)
                ended.errback(error)
            else:
                request.answer(200)
                ended.callback(found)

        self._stage.work = serve
        body = FileBodyProducer(BytesIO(content)) if content else None
        await treq.content(await self._agent.request(b"PUT", self._url, bodyProducer=body))
        return await ended

    async def break_off(self, store: Any, bucket: str, key: str, content: bytes) -> None:
        """
        A client that goes away before the last byte.

        @raise ConnectionLost: as it should.
        """
        ended: Deferred[None] = Deferred()

        async def receive(request: StreamingRequest) -> None:
            try:
                await store.receive(bucket, key, request.body, Intake({}, PlainPayload(None)))
            except Exception as error:
                ended.errback(error)
            else:
                ended.callback(None)

        self._stage.work = receive
        with socket.create_connection(("127.0.0.1", self._port)) as client:
            head = f"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content) + 1}\r\n\r\n"
            client.sendall(head.encode() + content)
        await ended

    async def take(self, found: IFound, first: int = 0, count: int | None = None) -> bytes:
        """What a client is sent of an object; all of it by default."""

        async def send(request: StreamingRequest) -> None:
            size = found.facts.size - first if count is None else count
            await found.send(request, 200, {}, first, size)

        self._stage.work = send
        content: bytes = await treq.content(await self._agent.request(b"GET", self._url))
        return content

    async def get(self, store: Any, bucket: str, key: str) -> bytes:
        """All of an object, as a client is sent it."""
        found = await store.look(bucket, key)
        try:
            return await self.take(found)
        finally:
            found.close()

    @property
    def _url(self) -> bytes:
        return b"http://127.0.0.1:%d/" % self._port


@asynccontextmanager
async def exchange(reactor: Any) -> AsyncIterator[Exchange]:
    """A listener, as long as it is wanted."""
    stage = _Stage(reactor)
    listening = reactor.listenTCP(0, stage, interface="127.0.0.1")
    try:
        yield Exchange(reactor, stage, listening.getHost().port)
    finally:
        await listening.stopListening()
