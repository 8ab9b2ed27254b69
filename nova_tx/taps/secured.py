"""
TLS between a connection and who serves it.

Twisted's wrapper, but that it waits for nobody once it has said that it closes, and that who is
wrapped may build no connection.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory

from nova_tx.taps.tls import Identity


class Secured(BufferingTLSTransport):
    """A connection by TLS."""

    def loseConnection(self) -> None:
        super().loseConnection()
        self._hang_up()

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        self._hang_up()

    def _hang_up(self) -> None:
        """
        Close the connection itself, when all is written and the end is told.

        Twisted waits for the client to say the same, which it need not do.  [RFC 8446, 6.1]
        """
        if self.disconnecting and self._producer is None and not self._appSendBuffer:
            assert self.transport is not None
            self.transport.loseConnection()


class SecuredFactory(TLSMemoryBIOFactory):
    """Has another factory's connections encrypted; like that one, it may build none."""

    protocol = Secured

    def __init__(self, identity: Identity, factory: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(identity, False, factory, clock)

    def buildProtocol(self, addr: IAddress | None) -> IProtocol | None:  # type: ignore[override]
        built = self.wrappedFactory.buildProtocol(addr)
        return None if built is None else self.protocol(self, built)
