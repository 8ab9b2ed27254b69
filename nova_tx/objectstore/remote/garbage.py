"""
Bytes that nobody may need (any more), removed when that is certain.

Before bytes are stored, and before those that name some are replaced, a record says which and
whose they are.  Whoever dies then leaves it, and the next start removes the bytes that are not
named where it says; until then they are removed when nobody reads them.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from nova_tx.errors import Unavailable
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.names import GARBAGE, Names
from nova_tx.objectstore.remote.records import Record, Records, together

_log = Logger()


@dataclass(frozen=True)
class Owner:
    """
    Who may name bytes.

    @ivar upload: an upload into the bucket, for the key; "": the object itself.
    """

    bucket: str
    key: str
    upload: str = ""


@dataclass(frozen=True)
class Doubtful:
    """
    Bytes that may be to be removed.

    @ivar record: says so.
    @ivar data: their ids.
    """

    record: str
    data: tuple[str, ...]


def data_of(record: Record | None) -> list[str]:
    """The ids of the bytes that a record of an object names."""
    return [] if record is None else [each for each, _ in record.known.get("data", ())]


class Garbage:
    """Removes bytes."""

    def __init__(self, client: Client, records: Records, names: Names) -> None:
        self._client = client
        self._records = records
        self._names = names
        self._read: Counter[str] = Counter()
        self._due: list[Doubtful] = []
        self._removing: set[Deferred[None]] = set()

    async def doubt(self, data: Sequence[str], owner: Owner) -> Doubtful:
        """
        Say that bytes are to be removed unless their owner names them; for what follows.

        @raise Unavailable: nothing is to be stored or replaced.
        """
        name = self._names.garbage(secrets.token_hex(16))
        await self._records.put(name, {"data": list(data), **vars(owner)})
        return Doubtful(name, tuple(data))

    def kept(self, *doubts: Doubtful) -> None:
        """Bytes are named by who is to keep them."""
        for each in doubts:
            self._remove(Doubtful(each.record, ()))

    def due(self, *doubts: Doubtful) -> None:
        """Bytes are named by nobody any more."""
        self._due += doubts
        self._go_on()

    def hold(self, data: Iterable[str]) -> None:
        """Let somebody read bytes, until L{let_go}."""
        self._read.update(data)

    def let_go(self, data: Iterable[str]) -> None:
        """They are not read any more."""
        self._read.subtract(data)
        self._read = +self._read
        self._go_on()

    def _go_on(self) -> None:
        waiting = [each for each in self._due if any(self._read[id_] for id_ in each.data)]
        ready = [each for each in self._due if each not in waiting]
        self._due = waiting
        for each in ready:
            self._remove(each)

    def _remove(self, doubtful: Doubtful) -> None:
        removing = Deferred.fromCoroutine(self._removed(doubtful))
        if not removing.called:
            self._removing.add(removing)
            _ = removing.addCallback(lambda _: self._removing.discard(removing))

    async def _removed(self, doubtful: Doubtful) -> None:
        try:
            await together(self._client.remove, [self._names.data(each) for each in doubtful.data])
            await self._records.remove(doubtful.record)
        except Unavailable:  # the log has it; the next start removes it
            pass
        except Exception:
            _log.failure("what {record} names can't be removed", record=doubtful.record)

    async def settled(self) -> None:
        """Wait for what is being removed."""
        while self._removing:
            await DeferredList(list(self._removing))

    # At start.

    async def sweep(self) -> None:
        """
        Remove what earlier processes left; none of them lives.

        @raise Unavailable: it can't be done.
        """
        left = await self._records.names(self._names.all(GARBAGE))
        if left:
            _log.info("{count} doubtful pieces of data are looked at", count=len(left))
        for name in left:
            record = await self._records.get(name)
            if record is not None:
                owner = Owner(*(record.known[each] for each in ("bucket", "key", "upload")))
                named = await self._named(owner)
                unnamed = [each for each in record.known["data"] if each not in named]
                await together(self._client.remove, [self._names.data(each) for each in unnamed])
            await self._records.remove(name)

    async def _named(self, owner: Owner) -> set[str]:
        """The ids of the bytes that an owner names."""
        place = self._names.object(owner.bucket, owner.key)
        there = await self._records.get(place)
        found = set(data_of(there))
        if owner.upload:
            upload = self._names.upload(owner.bucket, owner.key, owner.upload)
            goes_on = await self._records.get(upload) is not None
            if goes_on and there is not None and there.known.get("upload") == owner.upload:
                # it became the object, and who did that died
                await self._records.remove(upload)
                goes_on = False
            parts = await self._records.tags(self._names.parts(owner.upload))
            if goes_on:
                for known in await self._records.seen(parts):
                    found.update([] if known is None else [known["data"]])
            else:
                await together(self._records.remove, [name for name, _ in parts])
        return found
