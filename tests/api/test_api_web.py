"""Resources that answer from coroutines, and sites that refuse what is too long."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from nova_tx.access_log import access_line
from nova_tx.api.web import MAX_BODY, Answer, AsyncResource, bounded_site
from nova_tx.errors import Conflict, Unavailable
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Door


class Echo(AsyncResource):
    """Says what it was told, when C{gate} opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Deferred[None] | None = None
        self.error: Exception | None = None
        self.ended: list[str] = []

    async def answer(self, request: Request, request_id: str) -> Answer:
        assert request.content is not None
        try:
            if self.gate is not None:
                await self.gate
        except CancelledError:
            self.ended.append("cancelled")
            raise
        if self.error is not None:
            raise self.error
        self.ended.append("answered")
        return Answer(b"%d bytes" % len(request.content.read()))


class Connection:
    """A connection to a site, without sockets."""

    def __init__(self, root: Resource, site: Site | None = None) -> None:
        self.clock = Clock()
        site = site or bounded_site(root, self.clock)
        protocol: Any = site.buildProtocol(None)
        protocol.callLater = self.clock.callLater
        self.transport = StringTransport()
        self.protocol = protocol
        protocol.makeConnection(self.transport)

    def send(self, data: bytes) -> bytes:
        """What comes back for it."""
        self.transport.clear()
        self.protocol.dataReceived(data)
        return self.transport.value()

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionLost()))


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


def test_answer() -> None:
    """What the coroutine returns is what the client gets, on a connection that stays."""
    connection = Connection(Echo())
    for _ in range(2):
        said = connection.send(HEAD + b"Content-Length: 5\r\n\r\nhello")
        assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.endswith(b"\r\n\r\n5 bytes")
    connection.lose()
    assert connection.clock.getDelayedCalls() == []


def test_declared_errors() -> None:
    """What the client did wrong is told it; of what is wrong here it learns only that."""
    echo = Echo()
    for error, status, told in ((Conflict("no"), b"400", True), (Unavailable("x"), b"503", False)):
        echo.error = error
        said = Connection(echo).send(HEAD + b"Content-Length: 0\r\n\r\n")
        assert said.split()[1] == status
        assert (f"{error.code}: {error}\n".encode() in said) is told


def test_access_line() -> None:
    """The access log has no queries in it: they carry signatures and user data."""
    connection = Connection(Echo())
    lines: list[str] = []
    connection.protocol.site.log = lambda request: lines.append(access_line(request, 0.25))
    asked = b"GET /services/Cloud?Signature=S&UserData=U HTTP/1.1\r\nHost: x\r\n"
    connection.send(asked + b"User-Agent: Boto\x1b[1\r\n\r\n")
    text = "text/plain; charset=utf-8"
    says = f"0.250000s 192.168.1.1 GET /services/Cloud - 200 [Boto\\x1b[1] - {text} 7"
    assert lines == [says]


def test_undeclared_errors(logged_errors: Any) -> None:
    """Any other error is logged, and shown as an opaque 500."""
    echo = Echo()
    echo.error = KeyError("password")
    said = Connection(echo).send(HEAD + b"Content-Length: 0\r\n\r\n")
    assert said.split()[1] == b"500"
    assert b"password" not in said
    assert len(logged_errors.flush(KeyError)) == 1


def test_client_gone() -> None:
    """A client that goes away cancels the work for it; nothing is logged, nothing is written."""
    echo = Echo()
    echo.gate = Deferred()
    connection = Connection(echo)
    assert connection.send(HEAD + b"Content-Length: 0\r\n\r\n") == b""
    connection.lose()
    assert echo.ended == ["cancelled"]


@pytest.mark.parametrize("chunked", [False, True])
def test_too_long(chunked: bool) -> None:
    """A body that is too long is refused while it arrives, told beforehand or not."""
    echo = Echo()
    connection = Connection(echo)
    if chunked:
        chunk = b"%x\r\n%b\r\n" % (MAX_BODY, bytes(MAX_BODY))
        said = connection.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        assert said == b""
        said = connection.send(chunk + b"0\r\n\r\n")
    else:
        said = connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1))
    assert said.startswith(b"HTTP/1.1 413 ")
    assert connection.transport.disconnecting
    assert echo.ended == []


def test_the_bound_is_the_flags() -> None:
    """The EC2 API's site has the bound that the flag says."""
    site = bounded_site(Echo(), Clock(), 10)
    for length, status in ((10, b"200"), (11, b"413")):
        connection = Connection(Echo(), site)
        said = connection.send(HEAD + b"Content-Length: %d\r\n\r\n" % length + bytes(length))
        assert said.split()[1] == status


def test_longest_body() -> None:
    """A body of just the allowed length is taken."""
    body = bytes(MAX_BODY)
    said = Connection(Echo()).send(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert said.endswith(b"%d bytes" % MAX_BODY)


def test_tree_of_the_ec2_site(door: Door) -> None:
    """The root lists versions; metadata is not to be had on the public port.  [A27]"""
    root = door.send("GET", "http://127.0.0.1:8773/")
    assert root.body.startswith(b"1.0\n2007-01-19\n") and root.body.endswith(b"2009-04-04\n")
    for path in ("latest/meta-data/", "2009-04-04/user-data", "services", "services/Else"):
        assert door.send("GET", f"http://127.0.0.1:8773/{path}").status == 404


def test_whole_urls(door: Door, joe: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request whose first line has the whole URL, as to a proxy, is one for that host."""

    def send(method: str, url: str) -> bytes:
        connection = Connection(door.site.resource, door.site)
        return connection.send(f"{method} {url} HTTP/1.1\r\nHost: another\r\n\r\n".encode())

    monkeypatch.setattr(door, "send", send)
    said: Any = door.ask(joe, "DescribeRegions")
    assert said.startswith(b"HTTP/1.1 200 ") and b"<regionInfo>" in said
