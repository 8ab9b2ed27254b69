"""Connections to another S3."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.filepath import FilePath
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer

from nova_tx.errors import StartupError
from nova_tx.objectstore.remote.bodies import Outgoing

#: Connections that wait for use.
_KEPT = 32
#: Seconds for which they wait: less than servers and what is before them wait.
_WAIT = 15
_CONNECT = 10.0
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@implementer(IAgent)
class Connections:
    """
    Connections that stay open between requests.

    A body that comes from a client can't be sent twice: it has a connection of its
    own, for one that waited may be closed by the server at that very moment.
    """

    def __init__(self, reactor: Any, ca_file: str) -> None:
        """
        @param ca_file: certificates that the server's has to be signed by; "": the system's.
        @raise StartupError: there are none in it.
        """
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = _KEPT
        self._pool.cachedConnectionTimeout = _WAIT
        # what may be repeated is the client's to say
        self._pool.retryAutomatically = False
        policy = BrowserLikePolicyForHTTPS(_trusted(ca_file) if ca_file else None)
        self._kept = Agent(reactor, policy, connectTimeout=_CONNECT, pool=self._pool)
        self._own = Agent(reactor, policy, connectTimeout=_CONNECT)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: Any = None,
    ) -> Deferred[IResponse]:
        agent = self._own if isinstance(bodyProducer, Outgoing) else self._kept
        return agent.request(method, uri, headers, bodyProducer)

    async def close(self) -> None:
        """Close those that wait for use."""
        await self._pool.closeCachedConnections()


def _trusted(path: str) -> Any:
    try:
        text = FilePath(path).getContent()
    except OSError as error:
        raise StartupError(f"s3_backend_ca: can't read {path}: {error.strerror}") from None
    found = []
    for each in text.split(_BEGIN)[1:]:
        inner, _, _ = each.partition(_END)
        try:
            found.append(Certificate.loadPEM(_BEGIN + inner + _END + b"\n"))
        except Exception:
            raise StartupError(f"s3_backend_ca: {path} has what is no certificate") from None
    if not found:
        raise StartupError(f"s3_backend_ca: there is no certificate in {path}")
    return trustRootFromCertificates(found)
