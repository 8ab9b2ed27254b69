"""
A channel of a connection: methods out, replies in their order, messages to their consumers.

txamqp's channel with its methods made from the spec; what moves bytes is ours.
"""

from __future__ import annotations

import functools
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from txamqp.client import Closed
from txamqp.content import Content
from txamqp.message import Message
from txamqp.protocol import AMQChannel

from nova_tx import pem
from nova_tx.rpc import amqp_codec as codec

if TYPE_CHECKING:
    from nova_tx.rpc.amqp_client import Client

#: Seconds for the answer to a last request.
FAREWELL = 5.0
_ACK = struct.Struct("!BHIHHQBB")


class Silence(Exception):
    """The other end of the connection says nothing any more."""


class Incoming(NamedTuple):
    """A message as it was delivered."""

    tag: int
    redelivered: bool
    properties: dict[str, Any]
    body: bytes


class Consumer(Protocol):
    """Who takes the messages of a queue."""

    def delivered(self, channel: Channel, message: Incoming) -> None:
        """A message came."""

    def cancelled(self, channel: Channel) -> None:
        """The queue is gone."""


class Confirmed(Protocol):
    """Who hears what became of published messages."""

    def settled(self, tag: int, multiple: bool, kept: bool) -> None:
        """The broker has a message safely, or could not keep it."""

    def returned(self, properties: dict[str, Any], routing_key: str) -> None:
        """A mandatory message fits no queue."""

    def closed(self, reason: object) -> None:
        """Nothing more will be heard."""


class Layout:
    """What encoding and decoding need to know of a method."""

    def __init__(self, method: Any) -> None:
        fields = list(method.fields)
        names = [field.name for field in fields]
        self.method = method
        self.prefix = struct.pack("!HH", method.klass.id, method.id)
        self.types = [field.type for field in fields]
        self.nowait = names.index("nowait") if "nowait" in names else None
        self.names = [field.name for field in method.klass.fields]
        self.property_types = [field.type for field in method.klass.fields]


@functools.cache
def layout_of(method: Any) -> Layout:
    return Layout(method)


class Channel(AMQChannel):  # type: ignore[misc]
    """
    A channel; txamqp makes a method C{class_method} of each method of the spec.

    @ivar on_closed: called when the broker closes the channel.
    @ivar publisher: who hears of confirms and returns.
    """

    def __init__(self, number: int, outgoing: object, client: Client) -> None:
        self.id = number
        self.client = client
        self.closed = False
        self.reason: object = None
        self.publisher: Confirmed | None = None
        self.on_closed: Callable[[object], None] | None = None
        self._consumers: dict[str, Consumer] = {}
        self._replies: deque[Deferred[Any]] = deque()
        self._coming: tuple[Layout, list[Any]] | None = None
        self._header: tuple[int, dict[str, Any]] | None = None
        self._chunks: list[bytes] = []
        self._received = 0

    # Sending.

    def invoke(self, method: Any, args: tuple[Any, ...], content: Any = None) -> Deferred[Any]:
        """
        Send a method; fires with the reply, or at once if there will be none.

        @raise ValueError, TypeError: an argument does not fit; nothing was sent.
        """
        layout = layout_of(method)
        parts = [layout.prefix + codec.encode_arguments(layout.types, args)]
        parts[0] = codec.frame(codec.METHOD, self.id, parts[0])
        if method.content:
            content = content or Content(b"")
            properties = codec.encode_properties(
                layout.names, layout.property_types, content.properties
            )
            parts += codec.content_frames(
                self.id, method.klass.id, properties, content.body, self.client.MAX_LENGTH
            )
        if self.closed:
            return fail(self._closed_error())
        self.client.send(b"".join(parts))
        if not method.responses or (layout.nowait is not None and args[layout.nowait]):
            return succeed(None)
        reply: Deferred[Any] = Deferred()
        # a cancelled Deferred stays in line and swallows its reply
        self._replies.append(reply)
        return reply

    def publish(
        self, exchange: str, routing_key: str, body: bytes, properties: Mapping[str, Any]
    ) -> None:
        """
        Send a mandatory message.

        @raise ValueError, TypeError: a name or a property does not fit; nothing was sent.
        """
        layout = self.client.publishing
        method = codec.publication(self.id, exchange, routing_key)
        encoded = codec.encode_properties(layout.names, layout.property_types, properties)
        content = codec.content_frames(self.id, 60, encoded, body, self.client.MAX_LENGTH)
        self.client.send(b"".join((method, *content)))

    def ack(self, tag: int) -> None:
        """A message was handled."""
        if not self.closed:
            self.client.send(_ACK.pack(codec.METHOD, self.id, 13, 60, 80, tag, 0, 0xCE))

    async def consume(self, queue: str, consumer: Consumer, no_ack: bool = False) -> str:
        """Have a queue delivered; the consumer's tag."""
        tag = f"{queue}-{next(self.client.numbers)}"
        self._consumers[tag] = consumer
        await self.basic_consume(queue=queue, consumer_tag=tag, no_ack=no_ack)
        return tag

    async def shut(self) -> None:
        """Close the channel; what is not acknowledged goes back to its queue."""
        if not self.closed:
            await self.farewell(self.channel_close(reply_code=200))
            self.close(ConnectionDone())

    async def farewell(self, asked: Deferred[Any]) -> None:
        """Wait for the reply to a last request; a broker that gives none is left."""
        try:
            await asked.addTimeout(FAREWELL, self.client.clock)
        except Closed:
            pass
        except TimedOut:
            self.client.give_up(Silence(f"the broker did not answer in {FAREWELL:g} s"))

    # Receiving.

    def method_received(self, layout: Layout, args: list[Any]) -> None:
        """A method frame came."""
        if layout.method.content:
            self._coming, self._header, self._chunks, self._received = (layout, args), None, [], 0
        else:
            self._complete(layout, args, {}, b"")

    def header_received(self, payload: bytes) -> None:
        """The header of a body came."""
        if self._coming is None:
            raise codec.FrameError("a header came without its method")
        layout = self._coming[0]
        self._header = codec.decode_header(layout.names, layout.property_types, payload)
        self._check_body()

    def body_received(self, payload: bytes) -> None:
        """A part of a body came."""
        self._chunks.append(payload)
        self._received += len(payload)
        self._check_body()

    def _check_body(self) -> None:
        if self._coming is None or self._header is None:
            raise codec.FrameError("a body came without its header")
        size, properties = self._header
        if self._received >= size:
            (layout, args), self._coming = self._coming, None
            chunks, self._chunks = self._chunks, []
            self._complete(layout, args, properties, b"".join(chunks))

    def _complete(
        self, layout: Layout, args: list[Any], properties: dict[str, Any], body: bytes
    ) -> None:
        method = layout.method
        take = _DIRECT.get(layout.prefix)
        if take is not None:
            take(self, args, properties, body)
            return
        message = Message(method, args, Content(body, properties=properties))
        if not method.response:
            self.client.delegate.dispatch(self, message)
        elif self._replies:
            self._replies.popleft().callback(message)
        else:
            raise codec.FrameError(f"{method.klass.name}.{method.name} answers nothing")

    def _deliver(self, args: list[Any], properties: dict[str, Any], body: bytes) -> None:
        consumer = self._consumers.get(args[0])
        if consumer is not None:
            consumer.delivered(self, Incoming(args[1], args[2], properties, body))

    def _cancel(self, args: list[Any], properties: dict[str, Any], body: bytes) -> None:
        consumer = self._consumers.pop(args[0], None)
        if consumer is not None:
            consumer.cancelled(self)

    def _return(self, args: list[Any], properties: dict[str, Any], body: bytes) -> None:
        if self.publisher is not None:
            self.publisher.returned(properties, args[3])

    def _acked(self, args: list[Any], properties: dict[str, Any], body: bytes) -> None:
        if self.publisher is not None:
            self.publisher.settled(args[0], args[1], kept=True)

    def _nacked(self, args: list[Any], properties: dict[str, Any], body: bytes) -> None:
        if self.publisher is not None:
            self.publisher.settled(args[0], args[1], kept=False)

    # The end.

    def close(self, reason: object) -> None:
        """The connection is lost, or we closed the channel."""
        self.on_closed = None
        self.do_close(reason)

    def do_close(self, reason: object) -> None:
        """Nothing more will come; whoever waits learns it."""
        if self.closed:
            return
        self.closed = True
        self.reason = reason
        self.client.channels.pop(self.id, None)
        replies, self._replies = self._replies, deque()
        for reply in replies:
            if not reply.called:
                reply.errback(self._closed_error())
        if self.publisher is not None:
            self.publisher.closed(reason)
        if self.on_closed is not None:
            self.on_closed(reason)

    def _closed_error(self) -> Closed:
        try:
            self._raise_closed(self.reason)
        except Closed as error:
            return error
        raise AssertionError


_Direct = Callable[[Channel, list[Any], dict[str, Any], bytes], None]
#: What is frequent, and goes round the delegate: by class and method number.
_DIRECT: dict[bytes, _Direct] = {
    struct.pack("!HH", 60, 60): Channel._deliver,
    struct.pack("!HH", 60, 30): Channel._cancel,
    struct.pack("!HH", 60, 50): Channel._return,
    struct.pack("!HH", 60, 80): Channel._acked,
    struct.pack("!HH", 60, 120): Channel._nacked,
}


def reply_code(error: object) -> int | None:
    """The broker's code, if it was the broker who ended it."""
    reason = error.args[0] if isinstance(error, Closed) and error.args else error
    return int(reason.reply_code) if isinstance(reason, Message) else None


def explain(error: object) -> str:
    """Why a connection or a channel ended, in the words of whoever ended it."""
    if isinstance(error, Closed) and error.args:
        return explain(error.args[0])
    if isinstance(error, Failure):
        return explain(error.value)
    if isinstance(error, Message):
        return str(error.reply_text)
    if isinstance(error, CancelledError):
        return "given up"
    if isinstance(error, TimedOut):
        return "no answer"
    if isinstance(error, SSL.Error):
        return pem.explain(error)
    return str(error) or type(error).__name__
