"""
The bus over RabbitMQ.                                     [spec/01 section 3, spec/15 section B]

A durable topic exchange named by C{control_exchange}; durable queues C{topic}
and C{topic.host}, bound to their own names; messages are mandatory, and
acknowledged after the method has ended and its answer is sent.  A cast is
persistent and confirmed.  A call is neither: who waits for its answer sends it
again if the connection is lost first.  Each process has one queue for answers:
it outlives a lost connection, and expires when its process does not come back.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from time import perf_counter
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from txamqp.client import Closed
from zope.interface import implementer

from nova_tx.context import RequestContext
from nova_tx.errors import StartupError
from nova_tx.flags import BusFlags
from nova_tx.rpc import telling
from nova_tx.rpc.amqp_channel import Channel, Incoming, explain
from nova_tx.rpc.amqp_client import Client
from nova_tx.rpc.amqp_connection import Connection
from nova_tx.rpc.amqp_publisher import Publisher, Questions
from nova_tx.rpc.amqp_serving import PROPERTIES, Serving, declared
from nova_tx.rpc.calls import Calls, within
from nova_tx.rpc.envelope import ReplyAddress, Request, encode_request
from nova_tx.rpc.interfaces import IRPC, IServing
from nova_tx.rpc.outbox import Outbox

_PERSISTENT = {**PROPERTIES, "delivery-mode": 2}
#: Milliseconds that the queue for answers waits for its process to come back.
_REPLIES_EXPIRE = 10 * 60 * 1000


@implementer(IRPC)
class AmqpRPC:
    """Messages through a broker; see L{IRPC}."""

    def __init__(self, flags: BusFlags, reactor: Any) -> None:
        self._flags = flags
        self._clock = reactor
        self._calls = Calls(reactor)
        self._connection = Connection(flags, reactor, self._prepare)
        self._servings: list[Serving] = []
        self._outbox = Outbox(
            reactor,
            min(flags.rpc_cast_timeout, flags.rpc_response_timeout),
            flags.rpc_max_waiting,
        )
        self._replies = f"reply.{socket.gethostname()}.{uuid4().hex}"

    async def open(self) -> None:
        """
        Reach the broker.

        @raise StartupError: not in C{rabbit_max_retries} attempts, or it refuses us.
        """
        await self._connection.open()

    async def close(self) -> None:
        """Stop all that takes messages, and disconnect."""
        for serving in list(self._servings):
            await serving.stop()
        self._outbox.close()
        await self._connection.close(self._leave)

    def trouble(self) -> str | None:
        publisher = self._connection.at_hand()
        if publisher is None:
            return f"{self._connection.where} is away"
        return f"{self._connection.where} is blocked" if publisher.client.blocked else None

    async def cast(
        self, context: RequestContext, topic: str, method: str, args: Mapping[str, object]
    ) -> None:
        request = Request(method, args, context)
        body = encode_request(request)
        telling.sent(request, topic)
        await self._outbox.send(
            lambda: self._send(self._flags.control_exchange, topic, body, _PERSISTENT),
            f"{method} to {topic}",
        )

    async def call(
        self,
        context: RequestContext,
        topic: str,
        method: str,
        args: Mapping[str, object],
        timeout: float | None = None,
    ) -> object:
        if timeout is None:
            timeout = self._flags.rpc_response_timeout
        msg_id = self._calls.new_id()
        address = ReplyAddress(self._replies, msg_id)
        request = Request(method, args, context, address)
        body = encode_request(request)
        telling.sent(request, topic)
        began = perf_counter()
        expiration = str(max(1, int(timeout * 1000)))
        properties = {**PROPERTIES, "expiration": expiration}
        sending = self._ask(topic, body, properties, msg_id)
        what = f"{method} to {topic}"
        try:
            return await self._calls.wait(msg_id, sending, self._takes, timeout, what)
        finally:
            telling.answered(request, began)

    async def serve(self, topic: str, host: str, service: object) -> IServing:
        serving = Serving(
            self._flags.control_exchange,
            topic,
            host,
            service,
            self._flags.rpc_thread_pool_size,
            self._clock,
            self._answer,
            self._servings.remove,
        )
        while True:
            publisher = await self._connection.ready()
            try:
                await serving.attach(publisher.client)
            except Closed as error:
                if not publisher.over:
                    raise StartupError(
                        f"can't take messages for {topic}: {explain(error)}"
                    ) from None
            else:
                self._servings.append(serving)
                return serving

    async def _prepare(self, client: Client) -> Publisher:
        channel = await client.open_channel()
        exchange = self._flags.control_exchange
        await declared(
            channel.exchange_declare(exchange=exchange, type="topic", durable=True),
            f"exchange {exchange}",
        )
        await channel.queue_declare(
            queue=self._replies, durable=True, arguments={"x-expires": _REPLIES_EXPIRE}
        )
        replies = await client.open_channel()
        publisher = Publisher(channel, Questions(replies))
        await publisher.start()
        await replies.consume(self._replies, _Replies(self._calls), no_ack=True)
        for each in (channel, replies):
            each.on_closed = client.do_close
        for serving in list(self._servings):
            await serving.attach(client)
        return publisher

    async def _leave(self, client: Client) -> None:
        channel = await client.open_channel()
        await channel.queue_delete(queue=self._replies)

    def _send(
        self, exchange: str, routing_key: str, body: bytes, properties: dict[str, Any]
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(self._publish(exchange, routing_key, body, properties))

    def _ask(
        self, topic: str, body: bytes, properties: dict[str, Any], msg_id: str
    ) -> Deferred[None]:
        """Until it is cancelled, for the answer is there: on each connection again."""

        def ask(publisher: Publisher) -> Deferred[None]:
            exchange = self._flags.control_exchange
            return publisher.questions.ask(exchange, topic, body, properties, msg_id)

        def again(failure: Failure) -> Deferred[None]:
            failure.trap(Closed)
            return self._ask(topic, body, properties, msg_id)

        publisher = self._connection.at_hand()
        asked = self._publisher().addCallback(ask) if publisher is None else ask(publisher)
        return asked.addErrback(again)

    async def _publish(
        self, exchange: str, routing_key: str, body: bytes, properties: dict[str, Any]
    ) -> None:
        """Until it is confirmed: a message whose fate is unknown is sent again."""
        while True:
            publisher = await self._publisher()
            try:
                await publisher.publish(exchange, routing_key, body, properties)
                return
            except Closed:
                continue

    def _takes(self) -> bool:
        return self._connection.at_hand() is not None

    def _publisher(self) -> Deferred[Publisher]:
        """What to publish with, when publishing is welcome."""

        def welcome(publisher: Publisher) -> Publisher | Deferred[Publisher]:
            client = publisher.client
            return (
                client.when_unblocked().addCallback(lambda _: publisher)
                if client.blocked
                else publisher
            )

        return self._connection.ready().addCallback(welcome)

    async def _answer(self, queue: str, body: bytes) -> None:
        await within(
            self._clock,
            self._flags.rpc_response_timeout,
            self._send("", queue, body, PROPERTIES),
            "an answer",
        )


class _Replies:
    """The consumer of this process's answers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def delivered(self, channel: Channel, message: Incoming) -> None:
        self._calls.answered(message.body)

    def cancelled(self, channel: Channel) -> None:
        # a new connection declares it again
        channel.client.do_close(Closed("the queue for answers was deleted"))
