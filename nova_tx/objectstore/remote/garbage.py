"""
Bytes that nobody may need (any more), removed when that is certain.

Before bytes are stored, and before those that name some are replaced, a record says which and
whose they are.  Who made it removes bytes and record when nobody reads them any more.  Who died
leaves it, and a later process removes the bytes that are not named where it says: after L{SAFE}
seconds, in which the last request of the dead has come to its end, wherever it was.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from nova_tx.errors import Unavailable
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.names import GARBAGE, Names
from nova_tx.objectstore.remote.records import Record, Records, together
from nova_tx.objectstore.remote.turns import Turns

_log = Logger()

#: Seconds in which a request comes to its end whose sender died.
SAFE = 900.0


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

    def __init__(
        self, client: Client, records: Records, names: Names, turns: Turns, clock: IReactorTime
    ) -> None:
        """
        @param turns: as of objects and of uploads.
        @param clock: knows the time of day.
        """
        self._turns = turns
        self._clock = clock
        self._sweeping = LoopingCall(self._swept)
        self._sweeping.clock = clock
        self._ended: Deferred[LoopingCall]
        self._mine: set[str] = set()
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
        name = self._names.garbage(f"{self._clock.seconds():012.0f}-{secrets.token_hex(16)}")
        self._mine.add(name)
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

    def left(self, *doubts: Doubtful) -> None:
        """Bytes are named by nobody, but by a late request, perhaps: they go when none can come."""
        self._mine.difference_update(each.record for each in doubts)

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
            self._mine.discard(doubtful.record)
        except Unavailable:  # the log has it; a later process removes it
            pass
        except Exception:
            _log.failure("what {record} names can't be removed", record=doubtful.record)

    # What the dead left.

    def start(self) -> None:
        """Begin to look at it, now and then."""
        self._ended = self._sweeping.start(SAFE, now=False)

    async def stop(self) -> None:
        """Wait for what is being removed."""
        if self._sweeping.running:
            self._sweeping.stop()
            await self._ended
        while self._removing:
            await DeferredList(list(self._removing))

    def _swept(self) -> Deferred[None]:
        async def swept() -> None:
            try:
                await self.sweep()
            except Unavailable:  # the log has it; it is tried again
                pass
            except Exception:
                _log.failure("what earlier processes left can't be removed")

        return Deferred.fromCoroutine(swept())

    async def sweep(self) -> None:
        """
        Remove what earlier processes left, as far as it is certain.

        @raise Unavailable: it can't be done.
        """
        begin = self._names.all(GARBAGE)
        end = self._names.garbage(f"{self._clock.seconds() - SAFE:012.0f}")
        left = [each for each in await self._records.names(begin) if each < end]
        for name in left:
            if name not in self._mine:
                record = await self._records.get(name)
                if record is not None:
                    await self._settle(record)
                await self._records.remove(name)

    async def _settle(self, record: Record) -> None:
        """Remove the bytes that a record names, and nobody else does."""
        owner = Owner(*(str(record.known[each]) for each in ("bucket", "key", "upload")))
        async with (
            self._turns.alone(("upload", owner.upload)),
            self._turns.alone(("object", owner.bucket, owner.key)),
        ):
            there = await self._records.get(self._names.object(owner.bucket, owner.key))
            named, doubted = set(data_of(there)), set(record.known["data"])
            if owner.upload:
                goes_on = await self.goes_on(owner, there)
                parts = await self._records.tags(self._names.parts(owner.upload))
                known = await self._records.seen(parts)
                of_parts = {each["data"] for each in known if each is not None}
                (named if goes_on else doubted).update(of_parts)
            left = doubted - named
            await together(self._client.remove, [self._names.data(each) for each in left])
            if owner.upload and not goes_on:
                await together(self._records.remove, [name for name, _ in parts])

    async def goes_on(self, owner: Owner, there: Record | None) -> bool:
        """
        Whether an upload does; if it became the object, and who did that died, it does not.

        @param there: the object.
        """
        upload = self._names.upload(owner.bucket, owner.key, owner.upload)
        if there is None or there.known["upload"] != owner.upload:
            return await self._records.get(upload) is not None
        await self._records.remove(upload)
        return False
