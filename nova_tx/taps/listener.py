"""
A TCP port that a daemon listens on, with TLS or without.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from nova_tx.errors import StartupError
from nova_tx.taps.secured import SecuredFactory
from nova_tx.taps.tls import Identity

_log = Logger()

#: Seconds in which others that share a port leave it, whose first one is dead: one that has only
#: begun finds that out when it is ready.
LEAVING = 30.0
#: Seconds until it is looked whether they have.
_AGAIN = 1.0


class Listener:
    """
    Listens from C{open} to C{close}.

    @ivar port: what it listens with, once open.
    @ivar identity: what it is to its clients; None: they come without TLS.
    """

    port: IListeningPort

    def __init__(
        self,
        reactor: Any,
        address: str,
        port: int,
        factory: IProtocolFactory,
        free: bool = False,
        shared: bool = False,
        inherited: int | None = None,
        identity: Identity | None = None,
    ) -> None:
        """
        @param shared: other processes take connections from the same socket; those of a first
            one that died may have the port still, and are waited for.
        @param inherited: descriptor of a socket that listens already.
        @param address: empty means every address.
        @param free: the address need not be this host's yet: it is a
            bridge's, which the network worker makes later.
        """
        self._reactor = reactor
        self._where = (address or "0.0.0.0", port)
        self._factory = factory if identity is None else SecuredFactory(identity, factory, reactor)
        self._free = free
        self._shared = shared
        self._inherited = inherited
        self.identity = identity

    async def open(self) -> None:
        """
        Listen.

        @raise StartupError: the address or the port can't be had, or the certificate is no good.
        """
        if self.identity is not None:
            await self.identity.open()
        end = self._reactor.seconds() + (LEAVING if self._shared else 0.0)
        address, port = self._where
        while True:
            try:
                self.port = self._listen()
                break
            except OSError as error:
                text = f"can't listen on {address}:{port}: {error.strerror}"
                if error.errno != errno.EADDRINUSE or self._reactor.seconds() >= end:
                    raise StartupError(text) from None
                _log.warn("{text}; trying again", text=text)
            await deferLater(self._reactor, _AGAIN)
        if self._shared:
            self._share()

    def _listen(self) -> IListeningPort:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=self._inherited) as listening:
            if self._inherited is None:
                self._bind(listening)
            # the reactor takes a copy of the descriptor
            port: IListeningPort = self._reactor.adoptStreamPort(
                listening.fileno(), socket.AF_INET, self._factory
            )
            return port

    def _bind(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._free:
            listening.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
        listening.bind(self._where)
        listening.listen(1024)

    def _share(self) -> None:
        """Take connections one by one, not all there are: others want some, too."""
        port: Any = self.port
        take = port.doRead

        def take_one() -> None:
            port.numberAccepts = 1
            take()

        port.doRead = take_one

    async def reload(self) -> None:
        """Have connections from now on another certificate, if there is one."""
        if self.identity is not None:
            await self.identity.reload()

    async def close(self) -> None:
        """Take no more connections."""
        port: IListeningPort | None = getattr(self, "port", None)
        if port is not None:
            await maybeDeferred(port.stopListening)
