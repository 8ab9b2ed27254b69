"""
Requests to another S3: signed, over connections that stay open, repeated where that is the same.

What goes wrong there is our own clients' 503: C{SlowDown} if it has too much to do, else
C{ServiceUnavailable}.  The reason is in the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.client import RequestGenerationFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from nova_tx.auth.s3_signatures import UNSIGNED
from nova_tx.cancelling import cancellable
from nova_tx.errors import Unavailable
from nova_tx.objectstore.bounds import SMALL
from nova_tx.objectstore.remote import answers
from nova_tx.objectstore.remote.answers import AGAIN, UNMET, Names, Reply
from nova_tx.objectstore.remote.bodies import (
    BrokenOff,
    GivenUp,
    Incoming,
    Outgoing,
    Whole,
    incoming,
)
from nova_tx.objectstore.remote.place import Place, Query
from nova_tx.objectstore.threads import IPool

T = TypeVar("T")

_log = Logger()

#: Seconds until an answer begins, and until the next piece of it.
PATIENCE = 60.0
#: Seconds for which an object may be copied there.
_COPYING = 900.0
#: Seconds before a request is repeated: so it is sent four times.
PAUSES = (0.2, 0.8, 3.2)
#: Bytes of the longest answer that is read into memory.
_LONGEST = 2**23
#: Statuses that mean something to who asked.
_MEANT = frozenset((200, 204, 206, 404))
_STORED = frozenset((200,))
_ANY = frozenset(range(200, 600)) - AGAIN
#: A 404 that says more than that the object is not there.
_NO_BUCKET = b"NoSuchBucket"


class Client:
    """Speaks with a place."""

    def __init__(self, place: Place, agent: IAgent, clock: IReactorTime, pool: IPool) -> None:
        """
        @param clock: knows the time of day.
        @param pool: reads long answers, and computes digests of long bodies.
        """
        self._place = place
        self._agent = agent
        self._clock = clock
        self._pool = pool

    # What may be repeated.

    async def get(self, name: str, most: int | None = None) -> Reply | None:
        """
        An object; None: there is none.

        @param most: bytes of it that are wanted, from the first; None: all.
        @raise Unavailable: it can't be told.
        """
        more = {} if most is None else {"range": f"bytes=0-{most - 1}"}
        found = await self._repeated("GET", name, more=more)
        return None if found.status == 404 else found

    async def put(
        self, name: str, content: bytes, condition: Mapping[str, str] | None = None
    ) -> str | None:
        """
        Store an object; returns what tells it from others.

        None: the condition did not hold; or did not any more, when the request was repeated.

        @param condition: headers that say it.
        @raise Unavailable: it is not known whether it is stored.
        """
        meant = _STORED | UNMET if condition else _STORED
        found = await self._repeated("PUT", name, (), condition, content, meant=meant)
        return found.tag if found.status in _STORED else None

    async def remove(self, name: str, condition: Mapping[str, str] | None = None) -> bool:
        """
        Remove an object; one that is not there is nothing.

        False: the condition did not hold; or did not any more, when the request was repeated.

        @raise Unavailable: it is not known whether it is removed.
        """
        meant = _MEANT | UNMET if condition else _MEANT
        return (await self._repeated("DELETE", name, (), condition, meant=meant)).status != 412

    async def attempt(
        self, method: str, name: str, condition: Mapping[str, str], content: bytes
    ) -> None:
        """
        Ask for a write with a condition, whatever comes of it.

        @raise Unavailable: there is no answer, or only that it is to be asked for again.
        """
        await self._repeated(method, name, (), condition, content, meant=_ANY)

    async def copy(self, source: str, target: str) -> None:
        """
        Store an object's bytes once more.

        @raise Unavailable: it is not known whether they are; or there is no such object.
        """
        headers = {"x-amz-copy-source": self._place.source(source)}
        found = await self._repeated("PUT", target, more=headers, patience=_COPYING)
        if found.status == 404:
            raise self._told(answers.strange("404 to a copy"), "PUT", target)
        try:
            answers.check_copied(found.body)
        except Unavailable as error:
            raise self._told(error, "PUT", target) from None

    async def names(self, prefix: str, after: str, most: int, group: bool) -> Names:
        """
        A page of names that begin so, in the order of their bytes.

        @param after: what they come after.
        @param most: how many, 1000 at most.
        @param group: show those as one that go on after a slash.
        @raise Unavailable: it can't be told.
        """
        query = {"list-type": "2", "encoding-type": "url", "max-keys": str(most)}
        query |= {"prefix": prefix} if prefix else {}
        query |= {"start-after": after} if after else {}
        query |= {"delimiter": "/"} if group else {}
        found = await self._repeated("GET", "", tuple(query.items()))
        if found.status == 404:
            raise self._told(answers.refusal(404, found.body), "GET", "")
        try:
            return await self._pool.run(answers.names, found.body)
        except Unavailable as error:
            raise self._told(error, "GET", "") from None

    async def _repeated(
        self,
        method: str,
        name: str,
        query: Query = (),
        more: Mapping[str, str] | None = None,
        content: bytes = b"",
        patience: float = PATIENCE,
        meant: Collection[int] = _MEANT,
    ) -> Reply:
        digest = (
            await self._pool.run(_digest, content) if len(content) > SMALL else _digest(content)
        )
        body = Whole(content) if content or method == "PUT" else None
        for pause in (*PAUSES, None):
            try:
                response = await self._ask(method, name, query, more, digest, body, patience)
                found = await self._whole(response)
            except (Unavailable, BrokenOff) as error:
                failure = self._failure(error)
            else:
                missing = found.status == 404 and _NO_BUCKET in found.body
                if found.status in meant and not missing:
                    return found
                failure = answers.refusal(found.status, found.body)
                if found.status not in AGAIN:
                    break
            if pause is not None:
                await deferLater(self._clock, pause)
        raise self._told(failure, method, name)

    # Long bodies, which come and go once.

    async def body(self, name: str, first: int, count: int) -> Incoming:
        """
        Some bytes of an object that is there, on their way.

        @raise Unavailable: they don't come.
        """
        more = {"range": f"bytes={first}-{first + count - 1}"}
        for pause in (*PAUSES, None):
            try:
                response = await self._ask("GET", name, (), more, _digest(b""))
                if response.code in (200, 206) and response.length == count:
                    return incoming(response, self._clock, PATIENCE)
                found = await self._whole(response)
                failure = answers.refusal(found.status, found.body)
                if found.status not in AGAIN:
                    break
            except (Unavailable, BrokenOff) as error:
                failure = self._failure(error)
            if pause is not None:
                await deferLater(self._clock, pause)
        raise self._told(failure, "GET", name)

    def begin(self, name: str, length: int) -> Sending:
        """Begin to store an object of a length, whose bytes are to come."""
        body = Outgoing(length)
        asked = Deferred.fromCoroutine(self._send(name, body))
        return Sending(body, asked, self._clock)

    async def _send(self, name: str, body: Outgoing) -> None:
        try:
            response = await self._asked("PUT", name, (), {}, UNSIGNED, body)
            found = await self._whole(response)
        except (Unavailable, BrokenOff) as error:
            raise self._told(self._failure(error), "PUT", name) from None
        if found.status != 200:
            raise self._told(answers.refusal(found.status, found.body), "PUT", name)

    # One request.

    def _ask(
        self,
        method: str,
        name: str,
        query: Query,
        more: Mapping[str, str] | None,
        digest: str,
        body: Whole | None = None,
        patience: float = PATIENCE,
    ) -> Deferred[IResponse]:
        asked = self._asked(method, name, query, more or {}, digest, body)
        return Deferred.fromCoroutine(asked).addTimeout(patience, self._clock, _late)

    async def _asked(
        self,
        method: str,
        name: str,
        query: Query,
        more: Mapping[str, str],
        digest: str,
        body: Whole | Outgoing | None,
    ) -> IResponse:
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        headers = self._place.signed(method, name, query, dict(more), digest, now)
        try:
            return await cancellable(
                self._agent.request(
                    method.encode(),
                    self._place.url(name, query),
                    Headers({key: [value] for key, value in headers.items()}),
                    body,
                )
            )
        except CancelledError:
            raise
        except RequestGenerationFailed:
            raise GivenUp from None
        except Exception as error:  # whatever may happen to a connection
            raise answers.strange(f"{type(error).__name__}: {error}") from None

    async def _whole(self, response: IResponse) -> Reply:
        body = incoming(response, self._clock, PATIENCE)
        pieces: list[bytes] = []
        left = _LONGEST
        while piece := await body.some():
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                body.abort()
                raise BrokenOff(f"its answer has more than {_LONGEST} bytes")
        headers = {
            name.decode("latin-1").lower(): values[-1].decode("utf-8", "replace")
            for name, values in response.headers.getAllRawHeaders()
        }
        return Reply(response.code, headers, b"".join(pieces))

    def _failure(self, error: Unavailable | BrokenOff) -> Unavailable:
        return error if isinstance(error, Unavailable) else answers.strange(str(error))

    def _told(self, error: Unavailable, method: str, name: str) -> Unavailable:
        """The error, whose reason is in the log now."""
        _log.error(
            "the S3 behind this one, {host}: {method} {name!r}: {reason}",
            host=self._place.host,
            method=method,
            name=name,
            reason=getattr(error, "reason", str(error)),
        )
        return error


class Sending:
    """An object that is being stored."""

    def __init__(self, body: Outgoing, asked: Deferred[None], clock: IReactorTime) -> None:
        self._body = body
        self._asked = asked
        self._clock = clock
        self._failed: Exception | None = None
        self._ended = False
        _ = asked.addErrback(self._fail)

    def _fail(self, failure: Any) -> None:
        self._failed = failure.value
        self._body.stopProducing()

    async def write(self, piece: bytes | memoryview) -> None:
        """
        Some more of its bytes; returns when yet more may be given.

        @raise Unavailable: it can't be stored.
        """
        await self._in_time(lambda: self._body.write(piece))

    async def end(self) -> None:
        """
        See that it is stored, now that all of its bytes were given.

        @raise Unavailable: it is not.
        """
        await self._in_time(self._body.end)
        await self._asked.addTimeout(PATIENCE, self._clock, _late).addErrback(self._fail)
        self._ended = True
        if self._failed is not None:
            raise self._failed

    def abort(self) -> None:
        """Give it up: nothing of it is kept."""
        if not self._ended:
            self._ended = True
            self._body.abort()
            self._asked.cancel()

    async def _in_time(self, work: Callable[[], Awaitable[None]]) -> None:
        async def awaited() -> None:
            await work()

        try:
            await Deferred.fromCoroutine(awaited()).addTimeout(PATIENCE, self._clock, _late)
        except (Unavailable, BrokenOff) as error:
            if self._failed is not None:
                raise self._failed from None
            raise answers.strange(str(error)) from None


def _digest(content: bytes) -> str:
    """What a body is signed by. Blocks."""
    return hashlib.sha256(content).hexdigest()


def _late(_: object, seconds: float) -> Any:
    raise answers.strange(f"no answer in {seconds} seconds")
