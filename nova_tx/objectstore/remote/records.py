"""
What is known, in another S3: objects that begin with a line of JSON, and may go on with bytes.

S3 shows an object whole or not at all, and so is each of these.  Who replaces or removes one says
which one was read: where that S3 heeds it, a late request of a process that died does nothing to
what was written since.
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults
from twisted.logger import Logger

from nova_tx.errors import Unavailable
from nova_tx.objectstore.faults import Damaged
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.heeding import Heeded, heeded

_log = Logger()

S = TypeVar("S")
T = TypeVar("T")

#: Bytes in which most lines are.
_LINE = 4096
#: Lines that are kept in memory, so that who lists need not ask for them again.
_KEPT = 20_000
#: Requests of one call that are under way at once.
_AT_ONCE = 16
#: Names of a page, at most: S3's own bound.
PAGE = 1000
#: How often something is done if others come between, each of whom comes once.
_TRIES = 4
#: Beside what is known: tells each write from all others, and so its tag from theirs.
_WRITE = "write"

Known = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """
    A record as it is.

    @ivar content: the bytes behind the line.
    @ivar tag: what tells it from those before it and after it.
    """

    known: Known
    content: bytes
    tag: str


class Raced(Unavailable):
    """A record is not any more what was read: nothing was written; the log has it."""

    def __init__(self, name: str) -> None:
        super().__init__("the store behind this one was written to by another")
        _log.warn("{name}, in the S3 behind this one, was just written by another", name=name)


class Records:
    """Reads and writes them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heeded = Heeded()
        self._seen: OrderedDict[str, tuple[str, str]] = OrderedDict()

    async def open(self, probes: str) -> None:
        """
        See which conditions are heeded.

        @param probes: what names begin with that are for that alone.
        @raise Unavailable: it can't be told.
        """
        self._heeded = await heeded(self._client, probes)

    async def get(self, name: str) -> Record | None:
        """
        A record; None: there is none.

        @raise Unavailable: it can't be told.
        @raise Damaged: it is no record.
        """
        found = await self._client.get(name)
        if found is None:
            return None
        line, _, content = found.body.partition(b"\n")
        return Record(_read(name, line), content, found.tag)

    async def put(
        self,
        name: str,
        known: Mapping[str, Any],
        content: bytes = b"",
        there: Record | None = None,
    ) -> Record:
        """
        Make a record, or replace the one that is there.

        @param there: as it was read; None: there was none.
        @raise Raced: there is another one.
        @raise Unavailable: it is not known whether it is there.
        """
        line = json.dumps({**known, _WRITE: secrets.token_hex(8)})
        body = line.encode() + b"\n" + content
        condition = self._heeded.of_put(None if there is None else there.tag)
        tag = await self._client.put(name, body, condition)
        if tag is None:  # perhaps since it was stored, the answer was lost, and it was sent again
            found = await self._client.get(name)
            if found is None or found.body != body:
                raise Raced(name)
            tag = found.tag
        self._learn(name, tag, line)
        return Record(dict(known), content, tag)

    async def remove(self, name: str, there: Record | None = None) -> None:
        """
        Remove a record; one that is not there is nothing.

        @param there: as it was read; None: whatever it is, nobody else writes it.
        @raise Raced: there is another one.
        @raise Unavailable: it is not known whether it is there.
        """
        condition = None if there is None else self._heeded.of_removal(there.tag)
        removed = await self._client.remove(name, condition)
        if not removed and await self._client.get(name) is not None:
            raise Raced(name)
        self._seen.pop(name, None)

    async def names(self, prefix: str) -> list[str]:
        """The names of all that begin so."""
        return [name for name, _ in await self.tags(prefix)]

    async def tags(self, prefix: str) -> list[tuple[str, str]]:
        """The names of all that begin so, and what L{seen} knows each by."""
        found: dict[str, str] = {}
        while True:
            page = await self._client.names(prefix, max(found, default=""), PAGE, False)
            found |= page.tags
            if not page.more:
                return sorted(found.items(), key=lambda each: each[0].encode())

    async def seen(self, tags: Sequence[tuple[str, str]]) -> list[Known | None]:
        """
        What the lines say of those that were just listed; None: it was removed meanwhile.

        What was asked for before, and is the same, is not asked for again.
        """
        return await together(self._seen_one, tags)

    async def _seen_one(self, listed: tuple[str, str]) -> Known | None:
        name, tag = listed
        there = self._seen.get(name)
        if there is not None and tag and there[0] == tag:
            self._seen.move_to_end(name)
            return _read(name, there[1].encode())
        found = await self._client.get(name, _LINE)
        if found is None:
            return None
        line, end, _ = found.body.partition(b"\n")
        if not end:
            whole = await self.get(name)
            return None if whole is None else whole.known
        self._learn(name, found.tag, line.decode())
        return _read(name, line)

    def _learn(self, name: str, tag: str, line: str) -> None:
        if tag and len(line) <= _LINE:
            self._seen[name] = (tag, line)
            self._seen.move_to_end(name)
            if len(self._seen) > _KEPT:
                self._seen.popitem(last=False)


def _read(name: str, line: bytes) -> Known:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Damaged(f"{name}, in the S3 behind this one, is no record of ours")
    found.pop(_WRITE, None)
    return found


async def again(work: Callable[[], Awaitable[T]]) -> T:
    """
    Do what reads a record and writes it, until nobody comes between.

    @raise Raced: somebody always does.
    """
    for _ in range(_TRIES - 1):
        with suppress(Raced):
            return await work()
    return await work()


async def together(work: Callable[[S], Awaitable[T]], given: Sequence[S]) -> list[T]:
    """What comes of each, in order, some of them at once; or the first error, after the last."""
    places = DeferredSemaphore(_AT_ONCE)
    failures: list[Exception] = []
    found: dict[int, T] = {}

    async def one(number: int) -> None:
        await places.acquire()
        try:
            if not failures:
                found[number] = await work(given[number])
        except Exception as error:
            failures.append(error)
        finally:
            places.release()

    await gatherResults([Deferred.fromCoroutine(one(number)) for number in range(len(given))])
    if failures:
        raise failures[0]
    return [found[number] for number in range(len(given))]
