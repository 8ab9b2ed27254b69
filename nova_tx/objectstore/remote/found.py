"""An object of another S3 that is to be sent, read or copied."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from zope.interface import implementer

from nova_tx.errors import Unavailable
from nova_tx.objectstore.interfaces import IFound
from nova_tx.objectstore.remote.bodies import BrokenOff
from nova_tx.objectstore.remote.client import Client
from nova_tx.objectstore.remote.garbage import Garbage
from nova_tx.objectstore.remote.names import Names
from nova_tx.objectstore.remote.objects import Data, Kept
from nova_tx.objectstore.request import StreamingRequest


def within(data: Data, first: int, count: int) -> list[tuple[str, int, int]]:
    """Where C{count} bytes of an object are, from the C{first} on: ids, first bytes and counts."""
    found = []
    for id_, size in data:
        skipped = min(first, size)
        taken = min(size - skipped, count)
        if taken:
            found.append((id_, skipped, taken))
        first -= skipped
        count -= taken
    return found


@implementer(IFound)
class Found:
    """
    An object whose bytes are there until it is closed.

    @ivar kept: as it is.
    """

    def __init__(self, kept: Kept, client: Client, names: Names, garbage: Garbage) -> None:
        self.kept = kept
        self.facts = kept.facts
        self._client = client
        self._names = names
        self._garbage = garbage
        self._held: list[str] | None = [id_ for id_, _ in kept.data]
        garbage.hold(self._held)

    async def pieces(self, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """
        C{count} of its bytes from C{first} on, as they come.

        @raise Unavailable: they don't come.
        """
        if self.kept.content and count:
            yield self.kept.content[first : first + count]
        for id_, start, length in within(self.kept.data, first, count):
            body = await self._client.body(self._names.data(id_), start, length)
            try:
                while piece := await body.some():
                    yield piece
            except BrokenOff as error:
                raise Unavailable(f"the store behind this one: {error}") from None
            finally:
                body.abort()

    async def send(
        self,
        request: StreamingRequest,
        status: int,
        headers: Mapping[str, str],
        first: int,
        count: int,
    ) -> None:
        if not self.kept.data:
            request.answer(status, headers, self.kept.content[first : first + count])
            return
        async with aclosing(self.pieces(first, count)) as pieces:
            await request.send_pieces(status, headers, count, pieces)

    def close(self) -> None:
        held, self._held = self._held, None
        if held:
            self._garbage.let_go(held)
