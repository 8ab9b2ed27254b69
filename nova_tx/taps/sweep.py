"""What the API wrote down for a while only, cleared when its time is over."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from nova_tx.auth.lockout import Lockout
from nova_tx.db import client_tokens, replays
from nova_tx.db.engine import Database, now
from nova_tx.flags import NodeFlags
from nova_tx.periodic import Periodic


class Sweep:
    """A part of a daemon: signatures, client tokens and failed authentications are forgotten."""

    def __init__(
        self, database: Database, lockout: Lockout, node: NodeFlags, clock: IReactorTime
    ) -> None:
        self._database = database
        self._lockout = lockout
        self._rounds = Periodic(
            clock, max(1, node.periodic_interval), self._clear, "clearing what has expired"
        )

    async def open(self) -> None:
        """Begin, after the first interval."""
        self._rounds.startService()

    async def close(self) -> None:
        """Stop, after what is in hand."""
        if self._rounds.running:
            await self._rounds.stopService()

    async def _clear(self) -> None:
        await self._database.run(replays.clear, now())
        await self._database.run(client_tokens.clear, now())
        await self._lockout.clear()
