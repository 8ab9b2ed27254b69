"""
The way to the broker: found at start or not at all, then found again for ever.

twisted's ClientService is not used: a connection that is lost while it is being
prepared (a wrong password, a broker that shuts down) makes it log an error of
its own (no transition for _clientDisconnected, Twisted 26.10).
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from txamqp.client import Closed
from txamqp.spec import load

from nova_tx import pem
from nova_tx.cancelling import cancellable
from nova_tx.errors import StartupError
from nova_tx.flags import BusFlags
from nova_tx.log import background
from nova_tx.rpc.amqp_channel import FAREWELL, explain, reply_code
from nova_tx.rpc.amqp_client import Client
from nova_tx.rpc.amqp_publisher import Publisher

_log = Logger()

#: Seconds for everything from the first byte to a prepared connection.
_PATIENCE = 30.0
#: The broker's codes for a wrong user, vhost, or exchange: waiting does not help.
_REFUSALS = (403, 406, 530)


class _Factory(Factory):
    noisy = False


class Connection:
    """
    One connection at a time.

    C{prepare} is run on each new one, before anybody else may use it.
    """

    def __init__(
        self,
        flags: BusFlags,
        reactor: Any,
        prepare: Callable[[Client], Awaitable[Publisher]],
    ) -> None:
        self._flags = flags
        self._reactor = reactor
        self._prepare = prepare
        self._backoff = backoffPolicy(0.1, 10.0, 2.0, lambda: random.random() / 4)
        self._spec = load(os.path.join(os.path.dirname(__file__), "amqp0-9-1.xml"))
        self._endpoint: IStreamClientEndpoint | None = None
        self._publisher: Publisher | None = None
        self._waiting: list[Deferred[Publisher]] = []
        self._keeping: Deferred[None] | None = None
        self.where = f"the broker at {flags.rabbit_host}:{flags.rabbit_port}"

    async def open(self) -> None:
        """
        Connect, in C{rabbit_max_retries} attempts; from then on, stay connected.

        @raise StartupError: it can't be reached, or refuses us.
        """
        self._endpoint = _endpoint(self._flags, self._reactor)
        for attempt in range(1, max(1, self._flags.rabbit_max_retries) + 1):
            try:
                client = await self._attempt()
            except (CancelledError, StartupError):
                raise
            except Exception as error:
                reason = self._sentence(error)
                if reply_code(error) in _REFUSALS or attempt >= self._flags.rabbit_max_retries:
                    raise StartupError(reason) from None
            else:
                self._keeping = background(self._keep(client), f"the connection to {self.where}")
                return
            pause = self._flags.rabbit_retry_interval
            _log.warn(
                "{reason}; attempt {attempt} of {attempts}, the next in {pause} s",
                reason=reason,
                attempt=attempt,
                attempts=self._flags.rabbit_max_retries,
                pause=pause,
            )
            await deferLater(self._reactor, pause)

    async def close(self, leave: Callable[[Client], Coroutine[Deferred[Any], Any, None]]) -> None:
        """
        Disconnect, and connect no more.

        @param leave: what to do last on a connection that still is there.
        """
        if self._keeping is not None:
            self._keeping.cancel()
            await self._keeping
        if self._publisher is not None:
            client = self._publisher.client
            try:
                leaving = Deferred.fromCoroutine(leave(client))
                await leaving.addTimeout(FAREWELL, self._reactor)
            except (Closed, TimedOut):
                pass
            await client.shut(FAREWELL)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.cancel()

    def ready(self) -> Deferred[Publisher]:
        """What to publish with, once there is a connection."""
        if self._publisher is not None and not self._publisher.over:
            return succeed(self._publisher)
        waiting: Deferred[Publisher] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    def at_hand(self) -> Publisher | None:
        """What to publish with, if there is a connection, and it takes messages."""
        publisher = self._publisher
        if publisher is None or publisher.over or publisher.client.blocked:
            return None
        return publisher

    async def _keep(self, client: Client) -> None:
        while True:
            await client.disconnected.wait()
            reason = explain(client.reason)
            _log.warn("{where} is lost: {reason}", where=self.where, reason=reason)
            client = await self._again()
            _log.info("{where} is back", where=self.where)

    async def _again(self) -> Client:
        failures = 0
        while True:
            await deferLater(self._reactor, self._backoff(failures))
            try:
                return await self._attempt()
            except CancelledError:
                raise
            except Exception as error:
                failures += 1
                _log.warn("{reason}; trying again", reason=self._sentence(error))

    async def _attempt(self) -> Client:
        assert self._endpoint is not None
        client = await cancellable(self._endpoint.connect(_Factory.forProtocol(self._client)))
        assert isinstance(client, Client)
        ready = Deferred.fromCoroutine(self._enter(client))
        try:
            publisher = await ready.addTimeout(_PATIENCE, self._reactor)
        except Exception:
            lost = client.disconnected.wait()
            client.transport.abortConnection()
            await lost
            raise
        self._publisher = publisher
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(publisher)
        return client

    async def _enter(self, client: Client) -> Publisher:
        await client.enter()
        return await self._prepare(client)

    def _client(self) -> Client:
        flags = self._flags
        return Client(
            self._spec,
            flags.rabbit_virtual_host,
            flags.rabbit_userid,
            flags.rabbit_password,
            flags.rabbit_heartbeat,
            self._reactor,
        )

    def _sentence(self, error: Exception) -> str:
        flags = self._flags
        code = reply_code(error)
        if isinstance(error, StartupError):
            return str(error)
        if code == 403:
            return f"{self.where} refuses user {flags.rabbit_userid}: {explain(error)}"
        vhost = flags.rabbit_virtual_host
        if code == 530:
            return f"{self.where} does not let us into vhost {vhost}: {explain(error)}"
        return f"can't reach {self.where}, vhost {vhost}: {explain(error)}"


def _endpoint(flags: BusFlags, reactor: Any) -> IStreamClientEndpoint:
    endpoint = HostnameEndpoint(reactor, flags.rabbit_host, flags.rabbit_port)
    if not flags.rabbit_use_ssl:
        return endpoint
    purpose = "TLS to the broker"
    trust = ours = None
    if flags.rabbit_ssl_ca:
        trust = pem.trust(flags.rabbit_ssl_ca, purpose)
    try:
        if flags.rabbit_ssl_cert:
            both = pem.read(flags.rabbit_ssl_cert, purpose) + b"\n"
            both += pem.read(flags.rabbit_ssl_key, purpose) if flags.rabbit_ssl_key else b""
            ours = ssl.PrivateCertificate.loadPEM(both)
        options = ssl.optionsForClientTLS(
            flags.rabbit_host, trustRoot=trust, clientCertificate=ours
        )
    except StartupError:
        raise
    except Exception as error:
        raise StartupError(
            f"the certificates for TLS to the broker are no good: {pem.explain(error)}"
        ) from None
    return wrapClientTLS(options, endpoint)
