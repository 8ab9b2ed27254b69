"""
What is known, in another S3: objects that begin with a line of JSON, and may go on with bytes.

S3 shows an object whole or not at all, and so is each of these.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults

from nova_tx.objectstore.faults import Damaged
from nova_tx.objectstore.remote.client import Client

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

Known = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """
    A record as it is.

    @ivar content: the bytes behind the line.
    """

    known: Known
    content: bytes


class Records:
    """Reads and writes them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: OrderedDict[str, tuple[str, str]] = OrderedDict()

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
        return Record(_read(name, line), content)

    async def put(self, name: str, known: Mapping[str, Any], content: bytes = b"") -> None:
        """
        Make a record, or replace it.

        @raise Unavailable: it is not known whether it is there.
        """
        line = json.dumps(known)
        tag = await self._client.put(name, line.encode() + b"\n" + content)
        self._learn(name, tag, line)

    async def remove(self, name: str) -> None:
        """
        Remove a record; one that is not there is nothing.

        @raise Unavailable: it is not known whether it is there.
        """
        await self._client.remove(name)
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
    return found


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
