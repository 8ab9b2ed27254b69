"""
A worker's consumers at the broker: declared, consumed, and found again after each loss.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from txamqp.client import Closed
from zope.interface import implementer

from nova_tx.errors import StartupError, Unavailable, Unroutable
from nova_tx.log import background
from nova_tx.rpc.amqp_channel import Channel, Incoming, explain, reply_code
from nova_tx.rpc.amqp_client import Client
from nova_tx.rpc.interfaces import IServing
from nova_tx.rpc.server import Intake

_log = Logger()

#: Of every message of ours.
PROPERTIES = {"content-type": "application/json", "content-encoding": "utf-8"}


async def declared(work: Awaitable[object], what: str) -> None:
    """
    Wait for a declaration.

    @raise StartupError: the thing exists, and is not as we need it.
    """
    try:
        await work
    except Closed as error:
        if reply_code(error) != 406:
            raise
        raise StartupError(
            f"{what} exists at the broker with other properties than ours (durable); "
            f"delete it there first: {explain(error)}"
        ) from None


@implementer(IServing)
class Serving:
    """
    Takes messages for C{topic} and C{topic.host} as long as it is not stopped.

    @ivar stopping: it takes no more.
    """

    def __init__(
        self,
        exchange: str,
        topic: str,
        host: str,
        service: object,
        limit: int,
        clock: IReactorTime,
        answer: Callable[[str, bytes], Awaitable[None]],
        forget: Callable[[Serving], None],
    ) -> None:
        """
        @param answer: sends an answer to a queue.
        @param forget: called once, when it is stopped.
        """
        self.stopping = False
        self._names = (topic, f"{topic}.{host}")
        self._exchange = exchange
        self._limit = max(1, limit)
        self._intake = Intake(service, limit, clock)
        self._answer = answer
        self._forget = forget
        self._channel: Channel | None = None
        self._tags: dict[str, str] = {}
        self._ended = False
        self._waiting: list[Deferred[None]] = []

    async def attach(self, client: Client) -> None:
        """
        Declare and consume on a new connection.

        @raise StartupError: a queue of that name has other properties.
        """
        channel = await client.open_channel()
        await channel.basic_qos(prefetch_count=self._limit)
        for name in self._names:
            await self.consume(channel, name)
        channel.on_closed = client.do_close
        channel.publisher = _Answers()
        self._channel = channel
        if self.stopping:
            await channel.shut()

    async def consume(self, channel: Channel, name: str) -> None:
        """Declare one queue, durable and bound to its own name, and have it delivered."""
        await declared(channel.queue_declare(queue=name, durable=True), f"queue {name}")
        await channel.queue_bind(queue=name, exchange=self._exchange, routing_key=name)
        self._tags[name] = await channel.consume(name, _Queue(self, name))

    def take(self, channel: Channel, message: Incoming) -> None:
        """A message came."""
        self._intake.take(_Delivery(channel, message, self._answer))

    def stop(self) -> Deferred[None]:
        if self._ended:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        if not self.stopping:
            self.stopping = True
            _ = background(self._stop(), f"stopping the consumer of {self._names[1]}")
        return waiting

    async def _stop(self) -> None:
        try:
            self._intake.hold()
            channel = self._channel
            if channel is not None:
                for tag in self._tags.values():
                    await channel.farewell(channel.basic_cancel(consumer_tag=tag))
            await self._intake.stop()
            if self._channel is not None:
                await self._channel.shut()
        finally:
            self._ended = True
            self._forget(self)
            for waiting in self._waiting:
                waiting.callback(None)


class _Queue:
    """The consumer of one queue."""

    def __init__(self, serving: Serving, name: str) -> None:
        self._serving = serving
        self._name = name

    def delivered(self, channel: Channel, message: Incoming) -> None:
        self._serving.take(channel, message)

    def cancelled(self, channel: Channel) -> None:
        if self._serving.stopping:
            return
        _log.warn("queue {name} was deleted at the broker; it is made again", name=self._name)
        _ = background(self._again(channel), f"consuming {self._name} again")

    async def _again(self, channel: Channel) -> None:
        try:
            await self._serving.consume(channel, self._name)
        except Closed as error:
            # the new connection will consume again
            channel.client.do_close(error)


class _Answers:
    """Hears of answers that fit no queue."""

    def returned(self, properties: dict[str, Any], routing_key: str) -> None:
        _nobody()

    def settled(self, tag: int, multiple: bool, kept: bool) -> None:
        """Never: nothing is confirmed here."""

    def closed(self, reason: object) -> None:
        """What was not acknowledged comes again, and is answered again."""


def _nobody() -> None:
    _log.info("the sender of a call is gone; its answer is dropped")


class _Delivery:
    """A message that is not acknowledged yet."""

    def __init__(
        self,
        channel: Channel,
        message: Incoming,
        answer: Callable[[str, bytes], Awaitable[None]],
    ) -> None:
        self.body = message.body
        self._tag = message.tag
        self._channel = channel
        self._answer = answer

    def lost(self) -> bool:
        return self._channel.closed

    async def reply(self, queue: str, body: bytes) -> None:
        """
        On the channel of the acknowledgement, which the broker reads after it.

        If the channel is closed the message comes again, and is answered twice.
        """
        if not (self._channel.closed or self._channel.client.blocked):
            self._channel.publish("", queue, body, PROPERTIES)
            return
        try:
            await self._answer(queue, body)
        except Unroutable:
            _nobody()
        except Unavailable as error:
            _log.warn("an answer could not be sent: {error}", error=str(error))

    def done(self) -> None:
        self._channel.ack(self._tag)

    def give_back(self) -> None:
        _ = self._channel.basic_reject(delivery_tag=self._tag, requeue=True).addErrback(
            # its channel is closed: it went back by itself
            lambda failure: failure.trap(Closed) and None
        )
