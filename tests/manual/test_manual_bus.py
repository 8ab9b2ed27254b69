"""The manual's flags of the message bus."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from txamqp.spec import load

import nova_tx.rpc
from nova_tx.errors import StartupError
from nova_tx.flags import BusFlags, Flags
from nova_tx.rpc import amqp_codec as codec
from nova_tx.rpc.amqp import AmqpRPC
from nova_tx.rpc.memory import MemoryRPC
from nova_tx.taps.parts import Parts

SPEC = load(str(Path(nova_tx.rpc.__file__).parent / "amqp0-9-1.xml"))

#: What a broker answers, by what it heard.
ANSWERS: dict[str, tuple[Any, ...]] = {
    "connection.start-ok": ("connection.tune", 2047, 131072, 60),
    "connection.open": ("connection.open-ok", ""),
    "channel.open": ("channel.open-ok", b""),
}


class Broker(Protocol):
    """Says what a broker says until an exchange is declared, then leaves."""

    def __init__(self, heard: dict[str, list[Any]]) -> None:
        self._heard = heard
        self._frames = codec.Frames()
        self._greeted = False

    def dataReceived(self, data: bytes) -> None:
        if not self._greeted:
            assert data.startswith(codec.GREETING)
            data = data.removeprefix(codec.GREETING)
            self._greeted = True
            self._say(0, "connection.start", 0, 9, {}, b"PLAIN", b"en_US")
        for kind, channel, payload in self._frames.feed(data):
            if kind == codec.METHOD:
                klass = SPEC.classes.byid[int.from_bytes(payload[:2], "big")]
                method = klass.methods.byid[int.from_bytes(payload[2:4], "big")]
                name = f"{klass.name}.{method.name}"
                types = [each.type for each in method.fields]
                self._heard[name] = codec.decode_arguments(types, payload, 4)
                if name == "exchange.declare":
                    assert self.transport is not None
                    self.transport.loseConnection()
                elif name in ANSWERS:
                    self._say(channel, *ANSWERS[name])

    def _say(self, channel: int, name: str, *args: Any) -> None:
        method = SPEC.parse_method(name)
        payload = method.klass.id.to_bytes(2, "big") + method.id.to_bytes(2, "big")
        payload += codec.encode_arguments([each.type for each in method.fields], args)
        assert self.transport is not None
        self.transport.write(codec.frame(codec.METHOD, channel, payload))


async def heard_by_a_broker(parts: Callable[..., Parts], *words: str) -> dict[str, list[Any]]:
    """What a daemon with these flags says to a broker on loopback."""
    heard: dict[str, list[Any]] = {}
    factory = Factory.forProtocol(lambda: Broker(heard))  # type: ignore[arg-type]
    factory.noisy = False
    listening: Any = reactor.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[attr-defined]
    port = listening.getHost().port
    flags = ("--nofake_rabbit", "--rabbit_host=127.0.0.1", f"--rabbit_port={port}")
    rpc = parts(*flags, "--rabbit_max_retries=1", *words, reactor=reactor).rpc
    try:
        await rpc.open()
    except StartupError:
        return heard
    finally:
        await maybeDeferred(listening.stopListening)
    raise AssertionError("a broker that left was good enough")


def attempts(nowhere: Any, *words: str) -> tuple[Any, list[Any]]:
    """A network on which a broker is looked for, and what came of it so far."""
    network, ended = nowhere(), []  # type: ignore[var-annotated]
    flags = Flags.load(["--rabbit_host=broker.example.org", *words], (BusFlags,)).section(BusFlags)
    opening = Deferred.fromCoroutine(AmqpRPC(flags, network).open())
    _ = opening.addBoth(ended.append)
    network.advance(0)
    return network, ended


def test_j68_rabbit_host(nowhere: Any) -> None:
    """The broker is looked for at the address of that name."""
    network, _ = attempts(nowhere)
    assert [each[0] for each in network.tcpClients] == ["192.0.2.9"]


def test_j71_rabbit_port(nowhere: Any) -> None:
    """The broker is looked for at that port."""
    network, _ = attempts(nowhere, "--rabbit_port=5673")
    assert [each[1] for each in network.tcpClients] == [5673]


def test_j69_rabbit_max_retries(nowhere: Any) -> None:
    """A daemon gives up after that many attempts."""
    network, ended = attempts(nowhere, "--rabbit_max_retries=3")
    while not ended:
        network.advance(1)
    assert len(network.tcpClients) == 3
    ended[0].trap(StartupError)


def test_j72_rabbit_retry_interval(nowhere: Any) -> None:
    """The next attempt is that many seconds later, also by the manual's name of the flag."""
    network, _ = attempts(nowhere, "--rabbit-retry-interval=7")
    while len(network.times) < 3:
        network.advance(0.25)
    pauses = [later - earlier for earlier, later in pairwise(network.times)]
    assert all(7 <= each < 8 for each in pauses)


async def test_j70_rabbit_password(parts: Callable[..., Parts]) -> None:
    """The broker is told that password."""
    heard = await heard_by_a_broker(parts, "--rabbit_password=s3cret")
    assert heard["connection.start-ok"][2] == "\0guest\0s3cret"


async def test_j73_rabbit_userid(parts: Callable[..., Parts]) -> None:
    """The broker is told that user."""
    heard = await heard_by_a_broker(parts, "--rabbit_userid=nova")
    assert heard["connection.start-ok"][2] == "\0nova\0guest"


async def test_j12_control_exchange(parts: Callable[..., Parts]) -> None:
    """The exchange of that name is the one that is used."""
    heard = await heard_by_a_broker(parts, "--control_exchange=star")
    assert heard["exchange.declare"][1] == "star"


def test_j37_fake_rabbit(parts: Callable[..., Parts]) -> None:
    """Messages stay in the process, or go to a broker."""
    assert isinstance(parts("--fake_rabbit").rpc, MemoryRPC)
    assert isinstance(parts("--nofake_rabbit").rpc, AmqpRPC)
