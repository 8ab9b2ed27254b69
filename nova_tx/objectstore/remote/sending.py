"""Bytes on their way into another S3, as the clients of ours send them or as they lie there."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable

from nova_tx.objectstore.body import Body
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.intake import Intake
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.garbage import Doubtful, Garbage, Owner
from nova_tx.objectstore.remote.names import Names
from nova_tx.objectstore.remote.objects import Data
from nova_tx.objectstore.remote.records import together
from nova_tx.objectstore.threads import IPool

#: Bytes that are sent at once of a body that says nothing of its length.
_PIECE = 2**22


class Deliveries:
    """Stores bytes that nobody names yet, and says which they are."""

    def __init__(self, client: Client, names: Names, garbage: Garbage, pool: IPool) -> None:
        """
        @param pool: computes digests.
        """
        self._client = client
        self._names = names
        self._garbage = garbage
        self._pool = pool

    async def receive(
        self, body: Body, intake: Intake, owner: Owner
    ) -> tuple[Facts, Data, tuple[Doubtful, ...]]:
        """
        Store a body as it comes, at the pace at which it is taken there.

        @raise NovaError: what the intake raises, for the body is not what was announced.
        @raise ConnectionLost: the client went away.
        """
        length = intake.length(body.length)
        if length is None:
            return await self._receive_pieces(body, intake, owner)
        id_, doubtful = await self._begin(owner)
        sending = self._client.begin(self._names.data(id_), length)
        try:
            while piece := await body.some():
                await sending.write(await self._pool.run(intake.feed, piece))
            facts = await self._pool.run(intake.facts)
            await sending.end()
        except Exception:
            sending.abort()
            self._garbage.due(doubtful)
            raise
        return facts, ((id_, facts.size),), (doubtful,)

    async def _receive_pieces(
        self, body: Body, intake: Intake, owner: Owner
    ) -> tuple[Facts, Data, tuple[Doubtful, ...]]:
        """One that is a form's file: it ends where it ends."""
        data: list[tuple[str, int]] = []
        doubts: list[Doubtful] = []
        held = bytearray()
        more = True
        try:
            while more:
                piece = await body.some()
                more = bool(piece)
                held += await self._pool.run(intake.feed, piece)
                if held and (len(held) >= _PIECE or not more):
                    id_, doubtful = await self._begin(owner)
                    doubts.append(doubtful)
                    content = bytes(held)
                    held.clear()
                    await self._client.put(self._names.data(id_), content)
                    data.append((id_, len(content)))
            facts = await self._pool.run(intake.facts)
        except Exception:
            self._garbage.due(*doubts)
            raise
        return facts, tuple(data), tuple(doubts)

    async def store(
        self,
        pieces: AsyncIterator[bytes],
        count: int,
        update: Callable[[bytes], None],
        owner: Owner,
    ) -> tuple[str, Doubtful]:
        """
        Store C{count} bytes of an object, which are seen as they pass.

        @param update: computes digests.
        @raise Unavailable: they don't come, or are not taken.
        """
        id_, doubtful = await self._begin(owner)
        sending = self._client.begin(self._names.data(id_), count)
        try:
            async for piece in pieces:
                await self._pool.run(update, piece)
                await sending.write(piece)
            await sending.end()
        except Exception:
            sending.abort()
            self._garbage.due(doubtful)
            raise
        return id_, doubtful

    async def copy(self, data: Data, owner: Owner) -> tuple[Data, tuple[Doubtful, ...]]:
        """
        Have bytes stored once more, without that they come here.

        @raise Unavailable: they are not.
        """
        if not data:
            return (), ()
        new = tuple((secrets.token_hex(16), size) for _, size in data)
        doubtful = await self._garbage.doubt([id_ for id_, _ in new], owner)

        async def copy(number: int) -> None:
            source, target = data[number][0], new[number][0]
            await self._client.copy(self._names.data(source), self._names.data(target))

        try:
            await together(copy, range(len(data)))
        except Exception:
            self._garbage.due(doubtful)
            raise
        return new, (doubtful,)

    async def _begin(self, owner: Owner) -> tuple[str, Doubtful]:
        """The id of bytes that are to be stored."""
        id_ = secrets.token_hex(16)
        return id_, await self._garbage.doubt([id_], owner)
