"""
A worker at work: it recovers, takes messages, reports that it lives, does its periodic work.

The same for every worker.                                              [spec/01 section 2]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.interfaces import IReactorTime

from nova_tx.errors import Unavailable
from nova_tx.flags import NodeFlags
from nova_tx.periodic import Periodic
from nova_tx.rpc.interfaces import IRPC, IServing


class Worker(Protocol):
    """What a room's C{worker.py} offers beside its C{remote_} methods."""

    async def start(self) -> None:
        """Find out where an earlier run stopped, and end what it began."""

    async def periodic(self) -> None:
        """What is to be done every C{periodic_interval} seconds."""

    async def stop(self) -> None:
        """Let go of what is held; no message is in hand any more."""


class Serving:
    """One worker in a daemon; C{report} writes its heartbeat."""

    def __init__(
        self,
        clock: IReactorTime,
        rpc: IRPC,
        worker: Worker,
        topic: str,
        flags: NodeFlags,
        report: Callable[[], Awaitable[None]],
    ) -> None:
        self._rpc = rpc
        self._worker = worker
        self._topic = topic
        self._host = flags.host
        self._clock = clock
        self._write = report
        self._beaten: float | None = None
        self._most = flags.service_down_time
        what = f"nova-{topic}"
        self._beats = Periodic(
            clock, max(1, flags.report_interval), self._report, f"{what}'s heartbeat"
        )
        self._rounds = Periodic(
            clock, max(1, flags.periodic_interval), worker.periodic, f"{what}'s periodic work"
        )
        self._serving: IServing | None = None

    async def open(self) -> None:
        """
        Recover, then take messages, then say so: a live row means that messages are taken.

        @raise StartupError: what the worker needs is not there.
        """
        await self._worker.start()
        self._serving = await self._rpc.serve(self._topic, self._host, self._worker)
        await self._report()
        self._beats.startService()
        self._rounds.startService()

    async def _report(self) -> None:
        await self._write()
        self._beaten = self._clock.seconds()

    async def health(self) -> str:
        """
        How long ago it was last said that it lives.

        @raise Unavailable: so long that others hold it for dead.
        """
        if self._beaten is None:
            raise Unavailable("it has not begun")
        age = self._clock.seconds() - self._beaten
        if age > self._most:
            raise Unavailable(f"the last heartbeat was {age:.0f} s ago")
        return f"the last heartbeat was {age:.0f} s ago"

    async def close(self) -> None:
        """Take no more messages, end those in hand, stop."""
        for each in (self._beats, self._rounds):
            if each.running:
                await each.stopService()
        if self._serving is not None:
            await self._serving.stop()
            self._serving = None
        await self._worker.stop()
