"""The AMQP client against a broker that is a few bytes in a test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IWriteDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from txamqp.client import ChannelClosed, Closed, ConnectionClosed
from txamqp.spec import load
from zope.interface import implementer

import nova_tx.rpc
from nova_tx.errors import Unavailable, Unroutable
from nova_tx.flags import BusFlags
from nova_tx.rpc import amqp_codec as codec
from nova_tx.rpc.amqp import AmqpRPC
from nova_tx.rpc.amqp_channel import Channel, Incoming, explain
from nova_tx.rpc.amqp_client import Client
from nova_tx.rpc.amqp_publisher import Publisher, Questions

SPEC = load(str(Path(nova_tx.rpc.__file__).parent / "amqp0-9-1.xml"))


class Transport(StringTransport):
    """Ends when it is told to."""

    client: Client

    def setTcpNoDelay(self, enabled: bool) -> None:
        """As TCP has it."""

    def loseConnection(self) -> None:
        super().loseConnection()
        self._end()

    def abortConnection(self) -> None:
        super().abortConnection()
        self._end()

    def _end(self) -> None:
        if self.connected:
            self.connected = False
            self.client.connectionLost(Failure(ConnectionLost()))


class Broker:
    """The other end of one client."""

    def __init__(self, heartbeat: int = 0, transport: Transport | None = None) -> None:
        self.clock = Clock()
        self.client = Client(SPEC, "/", "nova", "s3cret", heartbeat, self.clock)
        self.transport = transport or Transport()
        self.transport.connected = True
        self.transport.client = self.client
        self.client.makeConnection(self.transport)

    def say(self, channel: int, name: str, *args: Any, body: bytes | None = None) -> None:
        """Send a method, with content if there is a body; the last argument are properties."""
        method = SPEC.parse_method(name)
        properties: dict[str, Any] = {}
        if body is not None:
            *args, properties = args  # type: ignore[assignment]
        payload = method.klass.id.to_bytes(2, "big") + method.id.to_bytes(2, "big")
        payload += codec.encode_arguments([each.type for each in method.fields], args)
        data = codec.frame(codec.METHOD, channel, payload)
        if body is not None:
            fields = list(method.klass.fields)
            encoded = codec.encode_properties(
                [each.name for each in fields], [each.type for each in fields], properties
            )
            data += b"".join(codec.content_frames(channel, 60, encoded, body, 4096))
        self.client.dataReceived(data)

    def heard(self) -> list[tuple[str, list[Any]]]:
        """The methods that the client has sent since last asked."""
        data = self.transport.value().removeprefix(codec.GREETING)
        self.transport.clear()
        found = []
        for kind, _, payload in codec.Frames().feed(data):
            if kind == codec.HEARTBEAT:
                found.append(("heartbeat", []))
            if kind == codec.METHOD:
                klass = SPEC.classes.byid[int.from_bytes(payload[:2], "big")]
                method = klass.methods.byid[int.from_bytes(payload[2:4], "big")]
                types = [each.type for each in method.fields]
                name = f"{klass.name}.{method.name}"
                found.append((name, codec.decode_arguments(types, payload, 4)))
        return found

    def welcome(self, frame_max: int = 131072, heartbeat: int = 60) -> Deferred[None]:
        """The handshake."""
        entering = Deferred.fromCoroutine(self.client.enter())
        self.say(0, "connection.start", 0, 9, {"product": "é"}, b"PLAIN AMQPLAIN", b"en_US")
        self.say(0, "connection.tune", 2047, frame_max, heartbeat)
        self.say(0, "connection.open-ok", "")
        return entering

    def channel(self) -> Channel:
        """An open channel."""
        opening = Deferred.fromCoroutine(self.client.open_channel())
        self.say(max(self.client.channels), "channel.open-ok", b"")
        self.heard()
        found: list[Channel] = []
        opening.addCallback(found.append)
        return found[0]


def test_handshake() -> None:
    """Greeting, login and limits are as the protocol wants them; then the vhost is open."""
    broker = Broker(heartbeat=60)
    assert broker.transport.value() == b"AMQP\x00\x00\x09\x01"
    entered = broker.welcome(frame_max=4096, heartbeat=10)
    (start, tune, opened) = broker.heard()
    assert start[0] == "connection.start-ok"
    assert start[1][0]["capabilities"]["consumer_cancel_notify"] is True
    assert start[1][1:3] == ["PLAIN", "\0nova\0s3cret"]
    assert tune == ("connection.tune-ok", [2047, 4096, 10])
    assert opened == ("connection.open", ["/", "", False])
    assert entered.called
    broker.transport.loseConnection()
    assert broker.clock.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"), [(60, 10, 10), (5, 60, 5), (0, 60, 0), (7, 0, 7)]
)
def test_agreed_heartbeat(ours: int, theirs: int, agreed: int) -> None:
    """The shorter heartbeat holds; 0 is none for us, and no opinion of the broker's."""
    broker = Broker(ours)
    broker.welcome(heartbeat=theirs)
    assert broker.heard()[1][1][2] == agreed
    broker.transport.loseConnection()


def test_heartbeat_is_sent() -> None:
    """A client with nothing to say sends heartbeats; one that talks does not."""
    broker = Broker(10)
    broker.welcome()
    channel = broker.channel()
    broker.clock.advance(5)
    broker.heard()
    broker.clock.advance(5)
    assert broker.heard() == [("heartbeat", [])]
    channel.ack(1)
    broker.clock.advance(5)
    assert [name for name, _ in broker.heard()] == ["basic.ack"]
    broker.transport.loseConnection()


def test_silent_broker() -> None:
    """A broker that is silent for two heartbeats and a bit is given up; any byte counts."""
    broker = Broker(10)
    broker.welcome()
    broker.clock.pump([5] * 3)
    broker.client.dataReceived(codec.HEARTBEAT_FRAME)
    broker.clock.pump([5] * 4)
    assert not broker.client.closed
    broker.clock.advance(5)
    assert broker.client.closed
    assert explain(broker.client.reason) == "no heartbeat for 20 s"
    assert broker.clock.getDelayedCalls() == []


def test_refused_login() -> None:
    """The broker's words on a refused login reach whoever logs in."""
    broker = Broker()
    entering = Deferred.fromCoroutine(broker.client.enter())
    broker.say(0, "connection.start", 0, 9, {}, b"PLAIN", b"en_US")
    broker.say(0, "connection.close", 403, "ACCESS_REFUSED - no", 0, 0)
    failure = entering.addErrback(lambda failure: failure.value).result
    assert explain(failure) == "ACCESS_REFUSED - no"
    assert broker.heard()[-1][0] == "connection.close-ok"
    assert not broker.transport.connected


def test_garbage() -> None:
    """What is no AMQP ends the connection, and says so to who waits."""
    broker = Broker()
    entering = Deferred.fromCoroutine(broker.client.enter())
    broker.client.dataReceived(b"SSH-2.0-OpenSSH\r\n")
    failure = entering.addErrback(lambda failure: failure.value).result
    assert explain(failure) == "what answers there does not speak AMQP 0-9-1"
    assert not broker.transport.connected


def test_cancelled_request_keeps_its_place() -> None:
    """The reply to a request that nobody waits for is not taken for the next one's."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    first = channel.queue_declare(queue="first")
    second = channel.queue_declare(queue="second")
    first.cancel()
    first.addErrback(lambda failure: failure.trap(CancelledError))
    broker.say(1, "queue.declare-ok", "first", 0, 0)
    assert not second.called
    broker.say(1, "queue.declare-ok", "second", 5, 0)
    assert (second.result.queue, second.result.message_count) == ("second", 5)
    broker.transport.loseConnection()


def test_what_can_not_be_said() -> None:
    """An argument that does not fit fails at its caller; nothing is sent, the channel goes on."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    with pytest.raises(ValueError):
        channel.queue_declare(queue="x" * 256)
    with pytest.raises(TypeError):
        channel.queue_declare(queue="x", arguments={"k": object()})
    assert broker.heard() == []
    asked = channel.queue_declare(queue="x")
    broker.say(1, "queue.declare-ok", "x", 0, 0)
    assert asked.called
    broker.transport.loseConnection()


def test_closed_channel() -> None:
    """A channel that the broker closes fails what waits; its number is free again."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    ends: list[object] = []
    channel.on_closed = ends.append
    asked = channel.queue_declare(queue="x", durable=True)
    broker.say(1, "channel.close", 406, "PRECONDITION_FAILED - durable", 50, 10)
    asked.addErrback(lambda failure: failure.trap(ChannelClosed) and ends.append("failed"))
    assert ends[-1] == "failed"
    assert len(ends) == 2
    assert broker.heard()[-1][0] == "channel.close-ok"
    later = channel.queue_declare(queue="x")
    later.addErrback(lambda failure: failure.trap(ChannelClosed) and ends.append("again"))
    assert ends[-1] == "again"
    assert broker.channel().id == 1
    broker.transport.loseConnection()


class _Inbox:
    def __init__(self) -> None:
        self.got: list[Incoming | str] = []

    def delivered(self, channel: Channel, message: Incoming) -> None:
        self.got.append(message)

    def cancelled(self, channel: Channel) -> None:
        self.got.append("cancelled")


@pytest.mark.parametrize("body", [b"", b"\xc3\xa9", b"\xff" * 10_000, b'{"n":"\xc3\xa9"}'])
def test_delivery(body: bytes) -> None:
    """A message is delivered as bytes, whatever they are; then the broker's cancel is heard."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    inbox = _Inbox()
    consuming = Deferred.fromCoroutine(channel.consume("q", inbox))
    tag = broker.heard()[0][1][2]
    headers = {"headers": {"x-death": [{"count": 1}], "none": None}}
    # a delivery may come before the answer
    broker.say(1, "basic.deliver", tag, 1, True, "nova", "q", headers, body=body)
    broker.say(1, "basic.consume-ok", tag)
    assert consuming.called
    broker.say(1, "basic.cancel", tag, True)
    broker.say(1, "basic.deliver", tag, 2, False, "nova", "q", {}, body=b"late")
    assert inbox.got == [Incoming(1, True, headers, body), "cancelled"]
    broker.transport.loseConnection()


@implementer(IWriteDescriptor)
class _Socket(Transport):
    """Like TCP's, can be told to send without the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def doWrite(self) -> None:
        self.sent.append(self.value())
        self.clear()


class _Answering:
    """Answers, then acknowledges."""

    def delivered(self, channel: Channel, message: Incoming) -> None:
        channel.publish("", "reply", message.body, {})
        channel.ack(message.tag)

    def cancelled(self, channel: Channel) -> None:
        """Never."""


def test_answers_leave_at_once() -> None:
    """All that is said in answer to what came is sent in one piece, before the loop turns."""
    socket = _Socket()
    broker = Broker(transport=socket)
    broker.welcome()
    channel = broker.channel()
    _ = Deferred.fromCoroutine(channel.consume("q", _Answering()))
    tag = broker.heard()[0][1][2]
    broker.say(1, "basic.consume-ok", tag)
    socket.sent.clear()
    broker.say(1, "basic.deliver", tag, 7, False, "nova", "q", {}, body=b"body")
    [sent] = socket.sent
    kinds = [payload[:4] for kind, _, payload in codec.Frames().feed(sent) if kind == codec.METHOD]
    assert kinds == [b"\x00\x3c\x00\x28", b"\x00\x3c\x00\x50"]
    broker.transport.loseConnection()


def _publisher(broker: Broker) -> Publisher:
    broker.welcome()
    channel = broker.channel()
    publisher = Publisher(channel, Questions(broker.channel()))
    starting = Deferred.fromCoroutine(publisher.start())
    broker.say(1, "confirm.select-ok")
    assert starting.called
    broker.heard()
    return publisher


def test_confirms() -> None:
    """Each message learns its own fate: kept, refused, returned, unknown."""
    broker = Broker()
    publisher = _publisher(broker)
    fates: dict[int, object] = {}
    for number in range(1, 8):
        sent = publisher.publish("nova", f"key{number}", b"x", {})
        sent.addBoth(lambda result, number=number: fates.update({number: result}))
    broker.say(1, "basic.ack", 2, True)
    assert fates == {1: None, 2: None}
    broker.say(1, "basic.nack", 3, False, False)
    assert isinstance(fates[3].value, Unavailable)  # type: ignore[attr-defined]
    returned = {"message-id": "5"}
    broker.say(1, "basic.return", 312, "NO_ROUTE", "nova", "key5", returned, body=b"x")
    broker.say(1, "basic.ack", 5, True)
    assert isinstance(fates[5].value, Unroutable)  # type: ignore[attr-defined]
    assert fates[4] is None
    broker.say(1, "basic.ack", 7, False)
    assert 6 not in fates
    broker.say(0, "connection.close", 320, "CONNECTION_FORCED - shutdown", 0, 0)
    assert isinstance(fates[6].value, Closed)  # type: ignore[attr-defined]
    assert publisher.over


def test_cancelled_publish() -> None:
    """Who gives up waiting for a confirm harms neither the confirm nor the next message."""
    broker = Broker()
    publisher = _publisher(broker)
    first = publisher.publish("nova", "a", b"", {})
    second = publisher.publish("nova", "b", b"", {})
    first.cancel()
    first.addErrback(lambda failure: failure.trap(CancelledError))
    broker.say(1, "basic.ack", 1, False)
    assert not second.called
    broker.say(1, "basic.ack", 2, False)
    assert second.called
    broker.transport.loseConnection()


def test_too_long_a_key() -> None:
    """A routing key that AMQP can't carry fails at its sender; the count of confirms holds."""
    broker = Broker()
    publisher = _publisher(broker)
    with pytest.raises(ValueError, match="more than 255"):
        publisher.publish("nova", "k" * 256, b"", {})
    assert broker.heard() == []
    sent = publisher.publish("nova", "k", b"", {})
    broker.say(1, "basic.ack", 1, False)
    assert sent.called
    broker.transport.loseConnection()


def test_one_write_per_publish() -> None:
    """A publish is one write, of method, header and body."""
    broker = Broker()
    publisher = _publisher(broker)
    writes: list[bytes] = []
    broker.transport.write = writes.append  # type: ignore[method-assign]
    sent = publisher.publish("nova", "k", b"body", {"delivery-mode": 2})
    broker.say(1, "basic.ack", 1, False)
    assert sent.called
    assert len(writes) == 1
    kinds = [kind for kind, _, _ in codec.Frames().feed(writes[0])]
    assert kinds == [codec.METHOD, codec.HEADER, codec.BODY]
    broker.transport.loseConnection()


def test_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps messages from being sent is told: no connection, or a broker without room."""
    bus = AmqpRPC(BusFlags(rabbit_host="mq.example"), Clock())
    where = "the broker at mq.example:5672"
    assert bus.trouble() == f"{where} is away"
    publisher = SimpleNamespace(client=SimpleNamespace(blocked=False))
    monkeypatch.setattr(bus._connection, "at_hand", lambda: publisher)
    assert bus.trouble() is None
    publisher.client.blocked = True
    assert bus.trouble() == f"{where} is blocked"


def test_blocked() -> None:
    """Who waits for a blocked broker goes on when it is unblocked, or the connection is over."""
    broker = Broker()
    broker.welcome()
    assert broker.client.when_unblocked().called
    broker.say(0, "connection.blocked", "low on memory")
    waiting = broker.client.when_unblocked()
    given_up = broker.client.when_unblocked()
    given_up.cancel()
    given_up.addErrback(lambda failure: failure.trap(CancelledError))
    assert not waiting.called
    broker.say(0, "connection.unblocked")
    assert waiting.called
    broker.say(0, "connection.blocked", "low on disk")
    waiting = broker.client.when_unblocked()
    broker.transport.loseConnection()
    assert waiting.called


def test_shut() -> None:
    """A client says good-bye and waits for the answer; a broker that gives none is left."""
    broker = Broker()
    broker.welcome()
    shut = Deferred.fromCoroutine(broker.client.shut(5.0))
    assert broker.heard()[-1][0] == "connection.close"
    assert not shut.called
    broker.say(0, "connection.close-ok")
    assert shut.called
    silent = Broker()
    silent.welcome()
    shut = Deferred.fromCoroutine(silent.client.shut(5.0))
    silent.clock.advance(5)
    assert shut.called
    assert silent.clock.getDelayedCalls() == []


def test_lost_connection() -> None:
    """Whoever waits for a reply learns that the connection was lost."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    asked = channel.queue_declare(queue="x")
    broker.say(0, "connection.close", 320, "CONNECTION_FORCED", 0, 0)
    failures: list[Any] = []
    asked.addErrback(failures.append)
    assert failures[0].check(ConnectionClosed)
    assert broker.client.disconnected.wait().called


def test_questions() -> None:
    """A question ends with its answer, when it comes back, or with its channel; nothing is kept."""
    broker = Broker()
    broker.welcome()
    channel = broker.channel()
    questions = Questions(channel)
    fates: dict[str, object] = {}
    asked = {}
    for name in ("answered", "returned", "lost"):
        asked[name] = questions.ask("nova", name, b"x", {}, name)
        asked[name].addBoth(lambda result, name=name: fates.update({name: result}))
    published = [args for method, args in broker.heard() if method == "basic.publish"]
    # mandatory, not immediate
    assert [args[1:] for args in published] == [
        ["nova", name, True, False] for name in ("answered", "returned", "lost")
    ]
    asked["answered"].cancel()
    assert fates == {"answered": None}
    properties = {"message-id": "returned"}
    broker.say(1, "basic.return", 312, "NO_ROUTE", "nova", "returned", properties, body=b"x")
    assert isinstance(fates["returned"].value, Unroutable)  # type: ignore[attr-defined]
    broker.transport.loseConnection()
    assert isinstance(fates["lost"].value, Closed)  # type: ignore[attr-defined]
    late = questions.ask("nova", "late", b"x", {}, "late")
    late.addErrback(lambda failure: fates.update(late=failure))
    assert isinstance(fates["late"].value, Closed)  # type: ignore[attr-defined]
