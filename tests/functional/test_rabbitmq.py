"""The bus over a real RabbitMQ: what every bus promises, and what only a broker can do to one."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory, ServerFactory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher
from txamqp.content import Content
from txamqp.spec import load

import nova_tx.rpc
from nova_tx.errors import RemoteTimeout, StartupError, Unavailable, Unroutable
from nova_tx.flags import BusFlags
from nova_tx.log import background
from nova_tx.rpc.amqp import AmqpRPC
from nova_tx.rpc.amqp_channel import Channel, Incoming
from nova_tx.rpc.amqp_client import Client
from nova_tx.testing.certificates import Authority
from nova_tx.testing.conformance.rpc import JOHN, Bus, RPCConformance, Service, called, soon
from nova_tx.testing.ports import free_port
from nova_tx.testing.rabbitmq import TLS, RabbitMQ

_QUEUES = ("compute", "compute.a", "compute.b", "compute.b.example.org", "network", "network.n")

Opener = Callable[..., Coroutine[Deferred[Any], Any, AmqpRPC]]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A node for this module."""
    node = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), free_port())
    node.start()
    yield node
    node.stop()


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[RabbitMQ]:
    """A node for one test, which may end it."""
    node = RabbitMQ(tmp_path / "rabbitmq", free_port())
    node.start()
    yield node
    node.kill()


def flags_for(node: RabbitMQ, **changes: Any) -> BusFlags:
    """How our daemons would be told of it."""
    flags = BusFlags(
        rabbit_host="127.0.0.1",
        rabbit_port=node.port,
        rabbit_userid=node.user,
        rabbit_password=node.password,
        rabbit_virtual_host=node.vhost,
        rabbit_max_retries=1,
        rabbit_retry_interval=0,
        rpc_response_timeout=120,
        rpc_thread_pool_size=4,
    )
    return dataclasses.replace(flags, **changes)


@pytest_twisted.async_yield_fixture
async def opened() -> AsyncIterator[Opener]:
    """Opens buses, and closes them after the test."""
    buses: list[AmqpRPC] = []

    async def open_bus(node: RabbitMQ, **changes: Any) -> AmqpRPC:
        rpc = AmqpRPC(flags_for(node, **changes), reactor)
        await rpc.open()
        buses.append(rpc)
        return rpc

    yield open_bus
    for each in reversed(buses):
        await soon(each.close())


@pytest_twisted.async_yield_fixture
async def hand(broker: RabbitMQ) -> AsyncIterator[Channel]:
    """A channel of an operator, who deletes our queues at the end."""
    client = await _client(broker)
    channel = await client.open_channel()
    yield channel
    if channel.closed:
        channel = await client.open_channel()
    for name in _QUEUES:
        await channel.queue_delete(queue=name)
    await client.shut(10.0)


@pytest_twisted.async_yield_fixture
async def bus(broker: RabbitMQ, hand: Channel, opened: Opener) -> AsyncIterator[Bus]:
    """Two processes' worth of connections."""
    yield Bus(await opened(broker), await opened(broker), 4)


async def _client(node: RabbitMQ) -> Client:
    spec = load(str(Path(nova_tx.rpc.__file__).parent / "amqp0-9-1.xml"))

    def protocol() -> Client:
        return Client(spec, node.vhost, node.user, node.password, 0, reactor)

    endpoint = HostnameEndpoint(reactor, "127.0.0.1", node.port)
    client = await endpoint.connect(Factory.forProtocol(protocol))
    assert isinstance(client, Client)
    await client.enter()
    return client


class TestRabbitMQ(RPCConformance):
    """The conformance suite."""


# Bad messages.


class _Inbox:
    """Collects what comes to a queue."""

    def __init__(self) -> None:
        self.first: Deferred[Incoming] = Deferred()

    def delivered(self, channel: Channel, message: Incoming) -> None:
        self.first.callback(message)

    def cancelled(self, channel: Channel) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00\xce",
        b"hello",
        b"[1]",
        b"{}",
        b'{"method": 5}',
        b'{"method": "note", "args": [1]}',
        b'{"method": "note", "args": {"value": NaN}}',
        b'{"method": "note", "args": {}, "_context_is_admin": "yes"}',
        b"[" * 100_000,
    ],
    ids=lambda body: ascii(body)[2:24],
)
async def test_bad_message(bus: Bus, hand: Channel, body: bytes) -> None:
    """A message that is no request is taken off the queue, and the worker goes on."""
    await bus.there.serve("compute", "a", Service())
    await hand.basic_publish(routing_key="compute.a", content=Content(body))
    assert await called(bus.here, "who") == "service"
    state = await hand.queue_declare(queue="compute.a", passive=True)
    assert state.message_count == 0


@pytest.mark.parametrize("part", [{}, {"method": "none"}, {"method": "echo", "args": 7}])
async def test_bad_call(bus: Bus, hand: Channel, part: dict[str, object]) -> None:
    """A call that is no good is answered with an error if it says where to."""
    await bus.there.serve("compute", "a", Service())
    mine = await hand.queue_declare(exclusive=True)
    inbox = _Inbox()
    await hand.consume(mine.queue, inbox, no_ack=True)
    body = json.dumps({**part, "_msg_id": "m" * 32, "_reply_to": mine.queue}).encode()
    await hand.basic_publish(routing_key="compute.a", content=Content(body))
    reply = json.loads((await soon(inbox.first)).body)
    assert reply["_msg_id"] == "m" * 32
    assert reply["result"] is None
    assert reply["failure"][0] == ("NoSuchMethod" if "none" in body.decode() else "InvalidInput")


async def test_headers_of_all_kinds(bus: Bus, hand: Channel) -> None:
    """A message with any header table, such as a dead letter's, is handled like another."""
    service = Service()
    await bus.there.serve("compute", "a", service)
    headers = {
        "x-death": [{"count": 1, "queue": "é", "reason": "expired", "none": None}],
        "negative": -5,
        "big": -(2**40),
        "float": 0.5,
        "bytes": b"\xff",
        "flag": True,
        "nothing": None,
    }
    body = json.dumps({"method": "note", "args": {"value": "é"}}, ensure_ascii=False).encode()
    content = Content(body, properties={"headers": headers, "timestamp": 1, "priority": 3})
    await hand.basic_publish(routing_key="compute.a", content=content)
    await service.after(1)
    assert service.events == ["é"]
    mine = await hand.queue_declare(exclusive=True)
    inbox = _Inbox()
    await hand.consume(mine.queue, inbox, no_ack=True)
    await hand.basic_publish(routing_key=mine.queue, content=content)
    assert (await soon(inbox.first)).properties == content.properties


async def test_answer_to_nobody(bus: Bus, hand: Channel) -> None:
    """A call whose sender has gone is handled, and harms nobody."""
    service = Service()
    await bus.there.serve("compute", "a", service)
    message = {"method": "note", "args": {"value": 1}, "_msg_id": "m", "_reply_to": "gone"}
    content = Content(json.dumps(message).encode())
    await hand.basic_publish(routing_key="compute.a", content=content)
    await service.after(1)
    assert await called(bus.here, "who") == "service"


# What operators do to queues.


async def test_deleted_queue(bus: Bus, hand: Channel) -> None:
    """A worker whose queue was deleted by hand makes it again and goes on."""
    service = Service()
    await bus.there.serve("compute", "a", service)
    for name in ("compute.a", "compute"):
        await hand.queue_delete(queue=name)
        while True:
            try:
                await soon(bus.here.cast(JOHN, name, "note", {"value": name}))
                break
            except Unavailable:
                # not there again yet
                continue
    await service.after(2)
    assert service.events == ["compute.a", "compute"]


async def test_deleted_exchange(hand: Channel, opened: Opener, broker: RabbitMQ) -> None:
    """A sender whose exchange was deleted by hand makes it again; a new worker is then found."""
    here = await opened(broker, control_exchange="other")
    there = await opened(broker, control_exchange="other")
    serving = await there.serve("compute", "a", Service())
    await hand.exchange_delete(exchange="other")
    with pytest.raises(Unroutable):
        await called(here, "who")
    await soon(serving.stop())
    await there.serve("compute", "a", Service())
    assert await called(here, "who") == "service"
    await hand.exchange_delete(exchange="other")


async def test_conflicting_exchange(broker: RabbitMQ, hand: Channel, opened: Opener) -> None:
    """An exchange that is not durable, like the original's, is refused with one sentence."""
    await hand.exchange_declare(exchange="old", type="topic", durable=False)
    with pytest.raises(StartupError, match=r"exchange old exists .* delete it there") as caught:
        await opened(broker, control_exchange="old", rabbit_max_retries=5)
    assert "durable" in str(caught.value)
    await hand.exchange_delete(exchange="old")


async def test_conflicting_queue(bus: Bus, hand: Channel) -> None:
    """A queue that is not durable is refused with one sentence; the bus goes on."""
    await hand.queue_declare(queue="compute", durable=False)
    with pytest.raises(StartupError, match=r"queue compute exists .* delete it there"):
        await bus.there.serve("compute", "a", Service())
    await hand.queue_delete(queue="compute")
    await bus.there.serve("compute", "a", Service())
    assert await called(bus.here, "who") == "service"


# Reaching the broker.


async def test_wrong_password(broker: RabbitMQ, opened: Opener) -> None:
    """A wrong password is said at once, in one sentence without the password."""
    with pytest.raises(StartupError) as caught:
        await opened(broker, rabbit_password="wr0ng", rabbit_max_retries=12)
    text = str(caught.value)
    assert f"the broker at 127.0.0.1:{broker.port} refuses user nova: ACCESS_REFUSED" in text
    assert "wr0ng" not in text


async def test_wrong_vhost(broker: RabbitMQ, opened: Opener) -> None:
    """So is a vhost that does not exist."""
    with pytest.raises(StartupError, match=r"vhost /nope: .*vhost /nope not found"):
        await opened(broker, rabbit_virtual_host="/nope", rabbit_max_retries=12)


async def test_no_broker(broker: RabbitMQ, opened: Opener) -> None:
    """A broker that does not run is tried rabbit_max_retries times."""
    with pytest.raises(StartupError, match=r"can't reach the broker at 127.0.0.1:.*refused"):
        await opened(broker, rabbit_port=free_port(), rabbit_max_retries=3)


async def test_not_a_broker(broker: RabbitMQ, opened: Opener) -> None:
    """Something else behind the port is recognised."""

    class Greeter(TwistedProtocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.transport.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    port = reactor.listenTCP(  # type: ignore[attr-defined]
        0, ServerFactory.forProtocol(Greeter), interface="127.0.0.1"
    )
    with pytest.raises(StartupError, match="does not speak AMQP"):
        await opened(broker, rabbit_port=port.getHost().port)
    await port.stopListening()


async def test_silent_broker(
    broker: RabbitMQ, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something that takes connections and says nothing is not waited for without limit."""
    monkeypatch.setattr("nova_tx.rpc.amqp_connection._PATIENCE", 0.5)
    port = reactor.listenTCP(  # type: ignore[attr-defined]
        0, ServerFactory.forProtocol(TwistedProtocol), interface="127.0.0.1"
    )
    with pytest.raises(StartupError, match="no answer"):
        await opened(broker, rabbit_port=port.getHost().port)
    await port.stopListening()


async def test_broker_that_starts_late(tmp_path: Path, opened: Opener) -> None:
    """A daemon that is started before its broker waits for it."""
    node = RabbitMQ(tmp_path / "rabbitmq", free_port())
    opening = Deferred.fromCoroutine(opened(node, rabbit_max_retries=1000, rabbit_retry_interval=1))
    await deferToThread(node.start)
    try:
        rpc = await opening
        await rpc.serve("compute", "a", Service())
        assert await called(rpc, "who") == "service"
        await soon(rpc.close())
    finally:
        node.kill()


# A broker that goes away.


async def test_killed_broker_loses_nothing(mortal: RabbitMQ, opened: Opener) -> None:
    """Every cast that was accepted is handled, though the broker is killed under the load."""
    # senders wait as long as the broker takes to start, however slow the machine
    here, there = await opened(mortal, rpc_cast_timeout=600), await opened(mortal)
    service = Service()
    await there.serve("compute", "a", service)
    sent = []
    ended = False

    async def send() -> None:
        number = 0
        while not ended:
            await here.cast(JOHN, "compute", "note", {"value": number})
            sent.append(number)
            number += 1

    sending = Deferred.fromCoroutine(send())
    await service.after(200)
    mortal.kill()
    before = len(sent)
    # more wait while it is away
    waiting = [here.cast(JOHN, "compute.a", "note", {"value": -n}) for n in range(1, 21)]
    starting = [Deferred.fromCoroutine(each) for each in waiting]
    await deferToThread(mortal.start)
    for each in starting:
        await soon(each)
    while len(sent) < before + 200:
        await service.after(len(service.events) + 1)
    ended = True
    await sending
    wanted = {*sent, *range(-20, 0)}
    while wanted - set(service.events):
        await service.after(len(service.events) + 1)


async def test_queued_messages_survive(mortal: RabbitMQ, opened: Opener) -> None:
    """What waits in a queue is still there after the broker was killed."""
    rpc = await opened(mortal)
    serving = await rpc.serve("compute", "a", Service())
    await soon(serving.stop())
    for value in range(10):
        await soon(rpc.cast(JOHN, "compute.a", "note", {"value": value}))
    mortal.kill()
    await deferToThread(mortal.start)
    service = Service()
    await soon(rpc.serve("compute", "a", service))
    await service.after(10)
    assert service.events == list(range(10))


async def test_closed_with_casts_on_their_way(broker: RabbitMQ, bus: Bus, opened: Opener) -> None:
    """What was cast, and waited for by nobody, arrives though its sender closes at once."""
    service = Service()
    await soon(bus.there.serve("compute", "a", service))
    leaving = await opened(broker)
    for number in range(200):
        _ = background(leaving.cast(JOHN, "compute", "note", {"value": number}), "a cast")
    await soon(leaving.close())
    await service.after(200)
    assert sorted(service.events) == list(range(200))


async def test_call_across_a_restart(mortal: RabbitMQ, opened: Opener) -> None:
    """A call that is in hand while the broker restarts is answered."""
    # who asks waits as long as the broker takes to end and to start
    here, there = await opened(mortal, rpc_response_timeout=600), await opened(mortal)
    service = Service()
    await there.serve("compute", "a", service)
    args = {"key": "x", "instance_id": 1}
    answer = Deferred.fromCoroutine(here.call(JOHN, "compute.a", "hold", args))
    await service.after(1)
    await deferToThread(mortal.stop)
    await deferToThread(mortal.start)
    service.gate("x").callback(None)
    assert await answer == "x"
    # what was in hand comes again, after the first has ended
    await service.after(4)
    assert service.events == ["x begins", "x ends"] * 2


async def test_frozen_broker(mortal: RabbitMQ, opened: Opener) -> None:
    """A broker that freezes is found out by its missing heartbeat; a cast waits until it thaws."""
    rpc = await opened(mortal, rabbit_heartbeat=1, rpc_cast_timeout=60)
    service = Service()
    await rpc.serve("compute", "a", service)
    lost: Deferred[None] = Deferred()

    def watch(event: dict[str, Any]) -> None:
        if "no heartbeat for 2 s" in str(event.get("reason")) and not lost.called:
            lost.callback(None)

    globalLogPublisher.addObserver(watch)
    pid = mortal.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        cast = soon(rpc.cast(JOHN, "compute", "note", {"value": 1}))
        await soon(lost)
        assert not cast.called
    finally:
        os.kill(pid, signal.SIGCONT)
        globalLogPublisher.removeObserver(watch)
    await cast
    await service.after(1)
    assert set(service.events) == {1}


async def test_unavailable_while_away(mortal: RabbitMQ, opened: Opener) -> None:
    """Without a broker casts and calls fail as Unavailable in time; the casts are sent later."""
    rpc = await opened(mortal, rpc_response_timeout=1)
    service = Service()
    await rpc.serve("compute", "a", service)
    mortal.kill()
    with pytest.raises(Unavailable) as caught:
        await soon(rpc.cast(JOHN, "compute", "note", {"value": 1}))
    assert str(caught.value) == "note to compute could not be sent in 1 s; it is sent later"
    with pytest.raises(Unavailable) as caught:
        await called(rpc, "who")
    assert type(caught.value) is not RemoteTimeout
    await deferToThread(mortal.start)
    await service.after(1)
    assert service.events == [1]


async def test_blocked(tmp_path: Path, opened: Opener) -> None:
    """A broker that is short of memory takes nothing; senders wait, then fail as Unavailable."""
    node = RabbitMQ(
        tmp_path / "rabbitmq", free_port(), settings=("vm_memory_high_watermark.absolute = 1MB",)
    )
    await deferToThread(node.start)
    try:
        rpc = await opened(node, rpc_response_timeout=2)
        await rpc.serve("compute", "a", Service())
        for _ in range(2):
            with pytest.raises(Unavailable, match="could not be sent in 2 s"):
                await soon(rpc.cast(JOHN, "compute", "note", {"value": 1}))
        await soon(rpc.close())
    finally:
        node.kill()


# TLS.


async def test_tls(tmp_path: Path, opened: Opener) -> None:
    """The bus works over TLS with certificates on both sides, and only with the right ones."""
    ours = Authority(tmp_path / "ours")
    server, client = ours.issue("broker", ["127.0.0.1"]), ours.issue("worker", [])
    other = Authority(tmp_path / "other")
    tls = TLS(free_port(), ours.path, server.certificate, server.key, client_certificates=True)
    node = RabbitMQ(tmp_path / "rabbitmq", free_port(), tls=tls)
    await deferToThread(node.start)
    secure = {
        "rabbit_port": tls.port,
        "rabbit_use_ssl": True,
        "rabbit_ssl_ca": str(ours.path),
        "rabbit_ssl_cert": str(client.certificate),
        "rabbit_ssl_key": str(client.key),
    }
    try:
        rpc = await opened(node, **secure)
        await rpc.serve("compute", "a", Service())
        text = "é" * 300_000
        assert await called(rpc, "echo", value=text) == text
        await soon(rpc.close())
        with pytest.raises(StartupError, match="certificate verify failed"):
            await opened(node, **{**secure, "rabbit_ssl_ca": str(other.path)})
        with pytest.raises(StartupError, match="can't reach"):
            await opened(node, **{**secure, "rabbit_ssl_cert": "", "rabbit_ssl_key": ""})
        with pytest.raises(StartupError, match=r"can't read /nowhere\.pem"):
            await opened(node, **{**secure, "rabbit_ssl_ca": "/nowhere.pem"})
        with pytest.raises(StartupError, match="no good"):
            await opened(node, **{**secure, "rabbit_ssl_ca": str(client.key)})
    finally:
        node.kill()
