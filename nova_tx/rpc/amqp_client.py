"""
One connection to RabbitMQ: txamqp's client with another heart.

Kept of txamqp 0.8.2: the spec, the channel methods made from it, messages,
errors, the delegate.  Replaced is all that moves bytes: frames are cut by
offset and dispatched at once (no queue or Deferred per frame), a publish is one
write, what can't be encoded fails at its caller before anything is written, a
cancelled request keeps its place in the line of replies, one timer does the
heartbeat, and the broker's own messages (confirms, cancels, blocked) are heard.
"""

from __future__ import annotations

import itertools
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime, IWriteDescriptor
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from txamqp.client import Closed, TwistedDelegate
from txamqp.protocol import AMQClient

from nova_tx.rpc import amqp_codec as codec
from nova_tx.rpc.amqp_channel import Channel, Silence, layout_of

_log = Logger()

_FRAME_MAX = 131072
_PROPERTIES = {
    "product": "nova_tx",
    "capabilities": {
        "authentication_failure_close": True,
        "basic.nack": True,
        "connection.blocked": True,
        "consumer_cancel_notify": True,
        "publisher_confirms": True,
    },
}


class _Delegate(TwistedDelegate):  # type: ignore[misc]
    """What is rare: the handshake, ends, and the broker's state."""

    client: Client

    def connection_start(self, channel: Channel, message: Any) -> None:
        _ = channel.connection_start_ok(
            client_properties=_PROPERTIES,
            mechanism="PLAIN",
            response=self.client.response,
            locale="en_US",
        )

    def connection_tune(self, channel: Channel, message: Any) -> None:
        self.client.tuned(message.frame_max, message.channel_max, message.heartbeat)

    def connection_blocked(self, channel: Channel, message: Any) -> None:
        _log.warn("the broker takes no messages for now: {why}", why=message.reason)
        self.client.blocked = True

    def connection_unblocked(self, channel: Channel, message: Any) -> None:
        _log.info("the broker takes messages again")
        self.client.unblock()

    def close(self, reason: object) -> None:
        raise AssertionError("Client.do_close ends the connection")


class Client(AMQClient):  # type: ignore[misc]
    """
    The protocol of a connection.

    @ivar blocked: the broker has asked us to publish nothing for now.
    @ivar reason: why the connection is over.
    @ivar numbers: for names that are unique on this connection.
    @ivar publishing: the properties of a message.
    """

    channelClass = Channel
    closed: bool

    def __init__(
        self,
        spec: Any,
        vhost: str,
        user: str,
        password: str,
        heartbeat: int,
        clock: IReactorTime,
    ) -> None:
        super().__init__(_Delegate(), vhost, spec, heartbeat=0, clock=clock)
        self.response = f"\0{user}\0{password}"
        self.blocked = False
        self.reason: object = None
        self.numbers = itertools.count(1)
        self._wanted_heartbeat = heartbeat
        self._frames = codec.Frames()
        self._unblocked: list[Deferred[None]] = []
        self._beat = LoopingCall(self._tick)
        self._beat.clock = clock
        self._quiet = 0
        self._wrote = False
        self._unsent = False
        self._direct = False
        self._layouts = {
            layout_of(method).prefix: layout_of(method)
            for each in spec.classes
            for method in each.methods
        }
        self.publishing = layout_of(spec.parse_method("basic.publish"))
        self.channels[0] = self.channelFactory(0, None, self)

    # The life of a connection.

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        # not so behind TLS
        self._direct = IWriteDescriptor.providedBy(self.transport)
        self.transport.write(codec.GREETING)

    async def enter(self) -> None:
        """
        Wait for the handshake, and enter the virtual host.

        @raise Closed: the broker refuses, or is gone.
        """
        await self.started.wait()
        await self.channels[0].connection_open(virtual_host=self.vhost)

    def tuned(self, frame_max: int, channel_max: int, heartbeat: int) -> None:
        """The broker's limits are known: the smaller of its and ours hold; 0 is none."""
        self.MAX_LENGTH = min(frame_max or _FRAME_MAX, _FRAME_MAX)
        self._frames.limit = self.MAX_LENGTH
        ours = self._wanted_heartbeat
        self.heartbeatInterval = min(ours, heartbeat or ours)
        _ = self.channels[0].connection_tune_ok(
            channel_max, self.MAX_LENGTH, self.heartbeatInterval
        )
        if self.heartbeatInterval:
            _ = self._beat.start(self.heartbeatInterval / 2, now=False)
        self.started.fire()

    async def open_channel(self) -> Channel:
        """A new channel, under the lowest free number."""
        number = next(each for each in itertools.count(1) if each not in self.channels)
        channel: Channel = self.channelFactory(number, None, self)
        self.channels[number] = channel
        await channel.channel_open()
        return channel

    async def shut(self, within: float) -> None:
        """Say good-bye, and wait that long for each, the answer and the end of the transport."""
        if not self.closed:
            goodbye = self.channels[0].connection_close(reply_code=200, reply_text="goodbye")
            try:
                await goodbye.addTimeout(within, self.clock)
            except (Closed, TimedOut):
                pass
            self.do_close(ConnectionDone())
        lost = self.disconnected.wait()
        alarm = self.clock.callLater(within, self.transport.abortConnection)
        try:
            await lost
        finally:
            if alarm.active():
                alarm.cancel()

    def do_close(self, reason: object) -> None:
        """The end: by the broker's word, by ours, or by the transport."""
        if self.closed:
            return
        self.closed = True
        self.reason = reason
        if self._beat.running:
            self._beat.stop()
        self.started.fail_if_not_fired(Closed(reason))
        for channel in list(self.channels.values()):
            channel.close(reason)
        self.unblock()
        self.transport.loseConnection()

    def give_up(self, reason: object) -> None:
        """End a connection whose other end makes no sense, or no sound."""
        self.do_close(reason)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:
        self.do_close(reason)
        self.disconnected.fire()

    # Bytes.

    def send(self, data: bytes) -> None:
        """Write whole frames."""
        self._wrote = self._unsent = True
        self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        self._quiet = 0
        self._unsent = False
        try:
            for kind, number, payload in self._frames.feed(data):
                if self.closed:
                    return
                self._frame_received(kind, number, payload)
        except codec.FrameError as error:
            self.give_up(error)
        except Exception as error:
            _log.failure("a message of the broker could not be taken")
            self.give_up(error)
        if self._unsent and self._direct and not self.closed:
            # what was said in answer goes out now, in one piece, without another turn of the loop
            self.transport.doWrite()

    def _frame_received(self, kind: int, number: int, payload: bytes) -> None:
        if kind == codec.HEARTBEAT:
            return
        channel = self.channels.get(number)
        if channel is None:
            # closed by us while the broker was still sending
            return
        if kind == codec.METHOD:
            layout = self._layouts.get(payload[:4])
            if layout is None:
                raise codec.FrameError(f"the broker sent an unknown method {payload[:4]!r}")
            channel.method_received(layout, codec.decode_arguments(layout.types, payload, 4))
        elif kind == codec.HEADER:
            channel.header_received(payload)
        else:
            channel.body_received(payload)

    def _tick(self) -> None:
        """Twice per heartbeat: speak if nothing was said, give up after two silent ones."""
        if not self._wrote:
            self.transport.write(codec.HEARTBEAT_FRAME)
        self._wrote = False
        self._quiet += 1
        if self._quiet > 4:
            self.give_up(Silence(f"no heartbeat for {2 * self.heartbeatInterval} s"))

    # Blocked.

    def when_unblocked(self) -> Deferred[None]:
        """Fires when publishing is welcome, or the connection is over."""
        if not self.blocked:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._unblocked.append(waiting)
        return waiting

    def unblock(self) -> None:
        """Let those publish who waited."""
        self.blocked = False
        waiting, self._unblocked = self._unblocked, []
        for each in waiting:
            if not each.called:
                each.callback(None)
