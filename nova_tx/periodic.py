"""
Work that is done again and again: never twice at once, never stopped by a failure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()


class Periodic(Service):
    """
    Calls C{work} every C{interval} seconds while it runs; stopping waits for the last call.

    The next call comes at the first full interval after the last one ended.
    A failure is logged and forgotten.
    """

    def __init__(
        self,
        clock: IReactorTime,
        interval: float,
        work: Callable[[], Awaitable[object]],
        what: str,
        now: bool = False,
    ) -> None:
        self.name = None
        self._work = work
        self._what = what
        self._interval = interval
        self._now = now
        self._loop = LoopingCall(self._once)
        self._loop.clock = clock
        self._ended: Deferred[LoopingCall] = succeed(self._loop)

    def startService(self) -> None:
        super().startService()
        self._ended = self._loop.start(self._interval, now=self._now)

    def stopService(self) -> Deferred[LoopingCall]:
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        return self._ended

    def _once(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._attempt())

    async def _attempt(self) -> None:
        try:
            await self._work()
        except Exception:
            _log.failure("{what} failed; it will be tried again", what=self._what)
