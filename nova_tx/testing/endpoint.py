"""Where a server of a test is on loopback, with TLS or without. Blocking."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass

from nova_tx.testing.certificates import Authority

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Endpoint:
    """
    A port.

    @ivar authority: what its certificate comes from; None: it has no TLS.
    """

    port: int
    authority: Authority | None = None

    @property
    def url(self) -> str:
        """Without a path."""
        return f"{'http' if self.authority is None else 'https'}://{_HOST}:{self.port}"

    @property
    def verify(self) -> str | None:
        """The file that boto3 verifies with."""
        return None if self.authority is None else str(self.authority.path)

    def connect(self) -> socket.socket:
        """A connection, whose reading and writing is what a client says and is told."""
        link = socket.create_connection((_HOST, self.port), 120)
        if self.authority is None:
            return link
        try:
            return self._context().wrap_socket(link, server_hostname=_HOST)
        except BaseException:
            link.close()
            raise

    def http(self) -> http.client.HTTPConnection:
        """A connection of Python's HTTP client, not made yet."""
        if self.authority is None:
            return http.client.HTTPConnection(_HOST, self.port, timeout=120)
        return http.client.HTTPSConnection(_HOST, self.port, timeout=120, context=self._context())

    def _context(self) -> ssl.SSLContext:
        assert self.authority is not None
        return ssl.create_default_context(cafile=str(self.authority.path))
