"""Requests to an image service and its answers, over connections that stay open, with time-outs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from OpenSSL import SSL
from service_identity import VerificationError
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from nova_tx import pem
from nova_tx.cancelling import cancellable
from nova_tx.errors import ImageError, Unavailable
from nova_tx.image.receiver import receive
from nova_tx.image.sender import FileSender, within

#: Seconds until an answer begins, and until the next piece of it.
PATIENCE = 60.0
#: Bytes of the longest answer that is read into memory.
_LONGEST = 2**26

_NO_ANSWER = (
    ConnectError,
    ConnectTimeout,
    ConnectionClosed,
    DNSLookupError,
    TimeoutError,
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)


class Exchange:
    """
    Speaks HTTP with one service.

    @ivar reactor: whose clock and threads are used.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        """
        @param name: what errors call the service.
        """
        self.reactor = reactor
        self._name = name
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self.trust(None)

    def trust(self, root: Any) -> None:
        """
        From what the service's certificate has to come if it is asked by https.

        @param root: a trust root of Twisted's; None: what this host trusts in.
        """
        policy = BrowserLikePolicyForHTTPS(root)
        agent = Agent(self.reactor, policy, connectTimeout=10.0, pool=self._pool)
        self._client = HTTPClient(agent)

    async def close(self) -> None:
        """Close the connections that wait for use."""
        await self._pool.closeCachedConnections()

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: FileSender | bytes = b""
    ) -> Any:
        """
        The response, whatever its status, whose body is still to be read.

        @raise Unavailable: there is none.
        @raise ImageError: the file that is the body could not be read.
        """
        sent = Headers({name: [value] for name, value in headers.items()})
        try:
            asked: Deferred[Any] = self._client.request(
                method, url, headers=sent, data=body or None, unbuffered=True, allow_redirects=False
            )
            return await within(cancellable(asked), PATIENCE, body, self.reactor)
        except RequestGenerationFailed as error:
            raise ImageError("the image's file could not be read") from error
        except _NO_ANSWER as error:
            why = _distrust(error)
            raise Unavailable(f"{self._name} does not answer{why and f': {why}'}") from error

    async def collect(self, response: Any) -> bytes:
        """
        The body of a response.

        @raise Unavailable: it broke off, or is too long.
        """
        pieces: list[bytes] = []
        left = _LONGEST

        def keep(data: bytes) -> None:
            nonlocal left
            left -= len(data)
            if left < 0:
                raise Unavailable(f"{self._name}'s answer is too long")
            pieces.append(data)

        try:
            await receive(response, keep, self.reactor, PATIENCE)
        except ImageError as error:
            raise Unavailable(f"{self._name} does not answer: {error}") from None
        return b"".join(pieces)

    async def save(self, response: Any, path: str) -> int:
        """
        Write the body of a response to a file as it arrives; returns its size in bytes.

        @raise ImageError: it broke off, or is not as long as was said.
        """
        with open(path, "wb", buffering=2**18) as file:
            size = await receive(response, file.write, self.reactor, PATIENCE)
        if response.length not in (size, UNKNOWN_LENGTH):
            raise ImageError(f"{size} bytes of an image came, not {response.length}")
        return size


def _distrust(error: Exception) -> str:
    """What is wrong with TLS, if that is why there is no answer; else nothing."""
    for each in getattr(error, "reasons", ()):
        if each.check(SSL.Error):
            return pem.explain(each.value)
        if each.check(VerificationError):
            return "its certificate is another host's"
    return ""
