"""
A TCP port that a daemon listens on.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from nova_tx.errors import StartupError


class Listener:
    """
    Listens from C{open} to C{close}.

    @ivar port: what it listens with, once open.
    """

    port: IListeningPort

    def __init__(
        self, reactor: Any, address: str, port: int, factory: IProtocolFactory, free: bool = False
    ) -> None:
        """
        @param address: empty means every address.
        @param free: the address need not be this host's yet: it is a
            bridge's, which the network worker makes later.
        """
        self._reactor = reactor
        self._where = (address or "0.0.0.0", port)
        self._factory = factory
        self._free = free

    async def open(self) -> None:
        """
        Listen.

        @raise StartupError: the address or the port can't be had.
        """
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self._free:
                listening.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
            listening.bind(self._where)
            listening.listen(1024)
            # the reactor takes a copy of the descriptor
            self.port = self._reactor.adoptStreamPort(
                listening.fileno(), socket.AF_INET, self._factory
            )
        except OSError as error:
            address, port = self._where
            raise StartupError(f"can't listen on {address}:{port}: {error.strerror}") from None
        finally:
            listening.close()

    async def close(self) -> None:
        """Take no more connections."""
        port: IListeningPort | None = getattr(self, "port", None)
        if port is not None:
            await maybeDeferred(port.stopListening)
