"""The way to the broker, given up while it is looked for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from txamqp.client import Closed
from zope.interface import implementer

from nova_tx.flags import BusFlags
from nova_tx.rpc.amqp_client import Client
from nova_tx.rpc.amqp_connection import Connection
from nova_tx.rpc.amqp_publisher import Publisher

#: Seconds after which what is lost is looked for again.
LATER = 1.0


class Transport(StringTransport):
    """As TCP has it."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is delayed."""


@implementer(IHostnameResolver)
class Names:
    """Has found a name's address, or is about to look for it."""

    def __init__(self, found: bool) -> None:
        self._found = found

    def resolveHostName(self, receiver: Any, *_: Any, **__: Any) -> Any:
        receiver.resolutionBegan(None)
        if self._found:
            receiver.addressResolved(IPv4Address("TCP", "192.0.2.1", 5672))
            receiver.resolutionComplete()


def _reactor(found: bool = True) -> Any:
    reactor = MemoryReactorClock()
    reactor.installNameResolver(Names(found))
    return reactor


def _connection(reactor: Any) -> Connection:
    async def prepare(client: Client) -> Publisher:
        return cast(Publisher, SimpleNamespace(client=client, over=False))

    flags = BusFlags(rabbit_host="rabbit", rabbit_max_retries=5, rabbit_retry_interval=1)
    return Connection(flags, reactor, prepare)


async def _leave(client: Client) -> None:
    raise Closed


@pytest.mark.parametrize("found", [False, True])
async def test_opening_is_given_up(found: bool) -> None:
    """A daemon that ends before it has found its broker looks for it no more."""
    reactor = _reactor(found)
    opening = Deferred.fromCoroutine(_connection(reactor).open())
    opening.cancel()
    assert opening.called
    with pytest.raises(CancelledError):
        await opening
    assert reactor.getDelayedCalls() == []


async def test_closed_while_the_broker_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon whose broker is lost, and is just looked for again, can end."""

    async def enter(client: Client) -> None:
        """Without a handshake."""

    monkeypatch.setattr(Client, "enter", enter)
    reactor = _reactor()
    connection = _connection(reactor)
    opening = Deferred.fromCoroutine(connection.open())
    client = reactor.tcpClients[0][2].buildProtocol(None)
    client.makeConnection(Transport())
    await opening
    client.connectionLost(Failure(ConnectionLost()))
    reactor.advance(LATER)
    assert len(reactor.tcpClients) == 2
    closing = Deferred.fromCoroutine(connection.close(_leave))
    assert closing.called
    await closing
    assert reactor.getDelayedCalls() == []
