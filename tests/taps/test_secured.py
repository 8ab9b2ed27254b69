"""TLS over connections in memory: what HTTP asks of it, and how it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.web.resource import Resource
from twisted.web.server import Site

from nova_tx.taps.secured import SecuredFactory
from nova_tx.taps.tls import Identity
from nova_tx.testing.certificates import Authority


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    clock = Clock()
    clock.advance(time.time())
    issued = Authority(tmp_path / "authority").issue("door", ["127.0.0.1"])
    made = Identity("door", str(issued.certificate), str(issued.key), clock, maybeDeferred)
    assert Deferred.fromCoroutine(made.open()).called
    return made


class Transport(StringTransport):
    """A TCP connection's."""

    def setTcpNoDelay(self, enabled: bool) -> None: ...


class Line:
    """A connection to a factory's protocol, and a client that has said hello."""

    def __init__(self, identity: Identity, factory: Any) -> None:
        self.clock = Clock()
        self.transport = Transport()
        self.server: Any = SecuredFactory(identity, factory, self.clock).buildProtocol(None)
        self.server.makeConnection(self.transport)
        self.inner = self.server.wrappedProtocol
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.client.set_connect_state()
        for _ in range(3):
            try:
                self.client.do_handshake()
            except SSL.WantReadError:
                pass
            self.carry()

    def carry(self) -> None:
        """Bring what each has sent to the other."""
        try:
            self.server.dataReceived(self.client.bio_read(2**16))
        except SSL.WantReadError:
            pass
        self.clock.advance(0)
        if self.transport.value():
            self.client.bio_write(self.transport.value())
            self.transport.clear()


class Producer:
    """Writes nothing."""

    def stopProducing(self) -> None: ...

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...


def test_an_end_is_not_waited_for(identity: Identity) -> None:
    """What was written and the end are told, and the connection is closed without an answer."""
    line = Line(identity, Factory.forProtocol(Protocol))
    line.inner.transport.write(b"good bye")
    line.inner.transport.loseConnection()
    assert line.transport.disconnecting
    line.carry()
    assert line.client.recv(100) == b"good bye"
    with pytest.raises(SSL.ZeroReturnError):
        line.client.recv(100)


def test_an_end_waits_for_a_producer(identity: Identity) -> None:
    """Who still has something to write may."""
    line = Line(identity, Factory.forProtocol(Protocol))
    line.inner.transport.registerProducer(Producer(), True)
    line.inner.transport.loseConnection()
    assert not line.transport.disconnecting
    line.inner.transport.write(b"the rest")
    line.inner.transport._aggregator.flush()
    line.inner.transport.unregisterProducer()
    assert line.transport.disconnecting
    line.carry()
    assert line.client.recv(100) == b"the rest"


def test_http_is_told_to_wait(identity: Identity) -> None:
    """A site knows that it is asked by https, and that its answers are taken slowly."""
    line = Line(identity, Site(Resource(), reactor=Clock()))  # type: ignore[no-untyped-call]
    channel = line.inner._channel
    assert channel.isSecure()
    line.transport.producer.pauseProducing()  # type: ignore[attr-defined]
    assert channel._waitingForTransport and line.transport.producerState == "paused"
    channel.loseConnection()
    channel.setTimeout(None)


def test_none(identity: Identity) -> None:
    """A factory that has no room builds nothing, with TLS as without."""

    class Full(Factory):
        def buildProtocol(self, addr: object) -> None:
            return None

    assert SecuredFactory(identity, Full(), Clock()).buildProtocol(None) is None
