"""What is sent to another S3, how often, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface import implementer

from nova_tx.errors import TooManyRequests, Unavailable
from nova_tx.flags import BackendFlags
from nova_tx.objectstore.remote.bodies import BrokenOff, Incoming, Outgoing
from nova_tx.objectstore.remote.client import PATIENCE, PAUSES, Client
from nova_tx.objectstore.remote.place import place
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.memory_s3 import Response

FLAGS = BackendFlags("http://s3.example.org/bucket", "the access", "the secret")
TRIES = len(PAUSES) + 1
_ERROR = "<Error><Code>{}</Code><Message>because</Message></Error>"


@implementer(IAgent)
class Script:
    """Answers as it is told, the last answer for ever; None is none."""

    def __init__(self, *answers: Response | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.body: Any = None

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        assert headers is not None
        said = {k.decode().lower(): v[0].decode() for k, v in headers.getAllRawHeaders()}
        self.asked.append((method.decode(), uri.decode(), said))
        self.body = bodyProducer
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            return Deferred(_not_connected)
        if isinstance(answer, Exception):
            return cast(Deferred[Any], Deferred.fromCoroutine(_raise(answer)))
        return succeed(answer)


def _not_connected(asked: Deferred[Any]) -> None:
    """What an agent says of a request that is given up before there is a connection."""
    asked.errback(ConnectingCancelledError(None))


async def _raise(error: Exception) -> None:
    raise error


class World:
    """A client whose other side is a script."""

    def __init__(self, *answers: Response | Exception | None) -> None:
        self.script = Script(*answers)
        self.clock = Clock()
        self.client = Client(place(FLAGS), self.script, self.clock, InlinePool())

    def soon(self, work: Any) -> Any:
        """What comes of something, however long it takes."""
        found: list[Any] = []
        done = Deferred.fromCoroutine(work)
        done.addBoth(found.append)
        for _ in range(20):
            if not found:
                self.clock.advance(PATIENCE)
        [result] = found
        if isinstance(result, Failure):
            result.raiseException()
        return result


def _refusal(status: int, code: str) -> Response:
    return Response(status, _ERROR.format(code).encode())


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
def test_again(status: int) -> None:
    """What may be better the next time is asked for again, signed anew."""
    world = World(_refusal(status, "Later"), _refusal(status, "Later"), Response(200, b"content"))
    found = world.soon(world.client.get("name"))
    assert found.body == b"content"
    assert len(world.script.asked) == 3
    dates = [headers["x-amz-date"] for _, _, headers in world.script.asked]
    assert len(set(dates)) == 3


def test_pauses() -> None:
    """Between the times is more and more time."""
    world = World(ConnectionRefusedError())
    ended: list[object] = []
    Deferred.fromCoroutine(world.client.put("name", b"x")).addErrback(ended.append)
    for number, pause in enumerate(PAUSES, 1):
        assert (len(world.script.asked), ended) == (number, [])
        world.clock.advance(pause * 0.9)
        assert len(world.script.asked) == number
        world.clock.advance(pause * 0.2)
    assert len(world.script.asked) == TRIES


@pytest.fixture(autouse=True)
def reasons(logged_errors: Any) -> Any:
    """What the log says of failures."""
    yield logged_errors
    logged_errors.flush()


@pytest.mark.parametrize(
    ("answer", "tries", "error", "reason"),
    [
        (_refusal(403, "SignatureDoesNotMatch"), 1, Unavailable, "403 SignatureDoesNotMatch"),
        (_refusal(403, "AccessDenied"), 1, Unavailable, "403 AccessDenied (because)"),
        (_refusal(404, "NoSuchBucket"), 1, Unavailable, "404 NoSuchBucket"),
        (_refusal(301, "PermanentRedirect"), 1, Unavailable, "301 PermanentRedirect"),
        (_refusal(503, "SlowDown"), TRIES, TooManyRequests, "503 SlowDown"),
        (_refusal(429, "TooMany"), TRIES, TooManyRequests, "429 TooMany"),
        (_refusal(500, "InternalError"), TRIES, Unavailable, "500 InternalError"),
        (Response(418, b"no XML"), 1, Unavailable, "418"),
        (ConnectionRefusedError("no"), TRIES, Unavailable, "ConnectionRefusedError"),
        (None, TRIES, Unavailable, "no answer in 60.0 seconds"),
    ],
)
def test_refused(
    answer: Response | Exception | None,
    tries: int,
    error: type[Unavailable],
    reason: str,
    reasons: Any,
) -> None:
    """Whatever is refused is our clients' 503; why, the log says, but no secret and no key."""
    for ask in ("get", "remove", "put"):
        world = World(answer)
        asked: Callable[..., Any] = getattr(world.client, ask)
        with pytest.raises(Unavailable) as caught:
            world.soon(asked(*("name", b"content")[: 1 + (ask == "put")]))
        assert isinstance(caught.value, TooManyRequests) == (error is TooManyRequests)
        assert len(world.script.asked) == tries
        [said] = reasons.flush()
        assert reason in said and "s3.example.org" in said and "name" in said
        for text in (said, str(caught.value), repr(caught.value)):
            assert "the secret" not in text and "the access" not in text
        assert reason not in str(caught.value)


def test_not_there() -> None:
    """An object that is not there is none, and no failure."""
    world = World(_refusal(404, "NoSuchKey"))
    assert world.soon(world.client.get("name")) is None
    world.soon(world.client.remove("name"))
    assert len(world.script.asked) == 2


@pytest.mark.parametrize("status", [404, 412])
def test_condition_of_put(status: int) -> None:
    """A condition is sent and signed; that it does not hold is told, but to nobody who had none."""
    world = World(_refusal(status, "Unmet"))
    assert world.soon(world.client.put("name", b"x", {"if-match": '"tag"'})) is None
    [(_, _, headers)] = world.script.asked
    assert headers["if-match"] == '"tag"' and "host;if-match;" in headers["authorization"]
    with pytest.raises(Unavailable):
        world.soon(world.client.put("name", b"x"))


def test_condition_of_removal() -> None:
    """What is not there is removed, whatever it was to be; what is another one is not."""
    for status, removed in ((204, True), (404, True), (412, False)):
        world = World(_refusal(status, "Unmet"))
        assert world.soon(world.client.remove("name", {"if-match": '"tag"'})) == removed
    with pytest.raises(Unavailable):
        world.soon(world.client.remove("name"))


def test_what_is_sent() -> None:
    """A request says what it is to say, and all of that is signed."""
    world = World(Response(206, b"abc", etag='"tag"'))
    assert world.soon(world.client.get("a/b", 3)).tag == "tag"
    [(method, uri, headers)] = world.script.asked
    assert (method, uri) == ("GET", "http://s3.example.org/bucket/a/b")
    assert headers["range"] == "bytes=0-2"
    assert "Credential=the access/19700101/us-east-1/s3/aws4_request" in headers["authorization"]
    assert "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date" in headers["authorization"]
    world = World(Response(200, b"<CopyObjectResult/>"))
    world.soon(world.client.copy("from", "to"))
    assert world.script.asked[0][2]["x-amz-copy-source"] == "/bucket/from"
    assert "x-amz-copy-source" in world.script.asked[0][2]["authorization"]


@pytest.mark.parametrize(
    "body", [_ERROR.format("InternalError").encode(), b"", b"<Copy", b"<Other/>"]
)
def test_copied_badly(body: bytes) -> None:
    """A copy that is answered 200 and says that it failed is none."""
    world = World(Response(200, body))
    with pytest.raises(Unavailable):
        world.soon(world.client.copy("from", "to"))


def test_names() -> None:
    """Names come as they are, however they are written."""
    body = (
        b'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
        b"<Contents><Key>a%21b%C3%BC+c</Key><ETag>&quot;x&quot;</ETag></Contents>"
        b"<CommonPrefixes><Prefix>a%2Fb/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    world = World(Response(200, body))
    found = world.soon(world.client.names("a", "b c", 7, True))
    assert (found.tags, found.prefixes, found.more) == ({"a!bü c": "x"}, {"a/b/"}, True)
    uri = world.script.asked[0][1]
    for part in ("list-type=2", "max-keys=7", "prefix=a", "start-after=b%20c", "delimiter=%2F"):
        assert part in uri
    for wrong in (b"<ListBucketResult><Contents/></ListBucketResult>", b"<html>", b""):
        world = World(Response(200, wrong))
        with pytest.raises(Unavailable):
            world.soon(world.client.names("", "", 1, False))


class _Consumer:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


def _begun(work: Any) -> list[Any]:
    """Where what comes of something will be."""
    found: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(found.append)
    return found


def test_outgoing() -> None:
    """A body is sent as fast as it is taken, all of it and no more."""
    body, consumer = Outgoing(10), _Consumer()
    first = _begun(body.write(b"12345"))
    assert first == []  # nobody takes it yet
    ended: list[object] = []
    body.startProducing(consumer).addBoth(ended.append)
    assert (first, consumer.pieces) == ([None], [b"12345"])
    body.pauseProducing()
    second = _begun(body.write(memoryview(b"67890too much")))
    assert second == []
    body.resumeProducing()
    assert second == [None] and b"".join(consumer.pieces) == b"1234567890"
    assert ended == []
    assert _begun(body.end()) == [None] and ended == [None]


def test_answered_at_once() -> None:
    """A body whose last byte was answered by closing the connection was sent whole."""
    for length in (0, 5):
        body = Outgoing(length)
        ended: list[object] = []
        body.startProducing(_Consumer()).addBoth(ended.append)
        assert _begun(body.write(b"12345")) == [None]
        body.pauseProducing()
        body.stopProducing()
        assert _begun(body.end()) == [None] and ended == [None]


def test_outgoing_short() -> None:
    """A body that is too short, or is given up, has no end."""
    body = Outgoing(10)
    ended: list[object] = []
    body.startProducing(_Consumer()).addErrback(ended.append)
    [failure] = _begun(body.end())
    assert failure.check(BrokenOff) and ended == []
    body.abort()
    assert len(ended) == 1
    [failure] = _begun(body.write(b"x"))
    assert failure.check(BrokenOff)


def test_refused_early() -> None:
    """Who sends a body that is refused in the middle is told, and sends no more."""
    world = World(_refusal(503, "SlowDown"))
    sending = world.client.begin("name", 10)
    with pytest.raises(TooManyRequests):
        world.soon(sending.write(b"12345"))
    sending.abort()
    assert len(world.script.asked) == 1  # it can't be repeated


def test_not_taken() -> None:
    """A body that is not taken for too long is given up."""
    world = World(None)
    sending = world.client.begin("name", 10)
    with pytest.raises(Unavailable):
        world.soon(sending.write(b"12345"))
    sending.abort()


def test_given_up_before_it_is_taken(reasons: Any) -> None:
    """That a body is given up before there is a connection is no fault of the S3 behind."""
    sending = World(None).client.begin("name", 10)
    sending.abort()
    assert reasons.flush() == []


async def test_ended_while_it_is_asked(reasons: Any) -> None:
    """A request is not repeated when who asks for it does not want it any more."""
    world = World(None)
    asked = Deferred.fromCoroutine(world.client.get("name"))
    asked.cancel()
    assert asked.called
    with pytest.raises(CancelledError):
        await asked
    assert (len(world.script.asked), world.clock.getDelayedCalls()) == (1, [])
    assert reasons.flush() == []


class _Transport:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[[], None]:
        return lambda: self.calls.append(name)


def test_incoming() -> None:
    """What comes is held until it is taken, and too much of it is not asked for."""
    body, transport = Incoming(Clock(), 60.0), _Transport()
    body.makeConnection(transport)  # type: ignore[arg-type]
    piece = b"x" * 2**17
    body.dataReceived(piece)
    assert transport.calls == []
    body.dataReceived(piece)
    assert transport.calls == ["pauseProducing"]
    assert _begun(body.some()) == [piece * 2]
    waiting = _begun(body.some())
    assert transport.calls == ["pauseProducing", "resumeProducing"] and waiting == []
    body.dataReceived(b"end")
    assert waiting == [b"end"]
    body.connectionLost(Failure(ResponseDone()))
    assert _begun(body.some()) == [b""]


def test_incoming_breaks_off() -> None:
    """A body that stands still is given up, and one that breaks off has no end."""
    clock, transport = Clock(), _Transport()
    body = Incoming(clock, 60.0)
    body.makeConnection(transport)  # type: ignore[arg-type]
    waiting = _begun(body.some())
    clock.advance(61)
    assert transport.calls == ["loseConnection"]
    [failure] = waiting  # though a connection by TLS may be open still
    assert failure.check(BrokenOff)
    body.connectionLost(Failure(ConnectionRefusedError()))
    [failure] = _begun(body.some())
    assert failure.check(BrokenOff)
    assert clock.getDelayedCalls() == []
