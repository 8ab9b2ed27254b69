"""
A daemon is a list of parts: opened in order once the reactor runs, closed in reverse.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from nova_tx.errors import StartupError
from nova_tx.log.daemon_log import DaemonLog

_log = Logger()


class Part(Protocol):
    """Something that is opened and closed: a database, a bus, a listener, a worker."""

    def open(self) -> Awaitable[None]:
        """Make it work; raise L{StartupError} with one sentence if it can't be."""

    def close(self) -> Awaitable[None]:
        """End what is in hand and let go."""


@runtime_checkable
class Reloadable(Protocol):
    """A part that has read something which may have changed."""

    def reload(self) -> Awaitable[None]:
        """Read it again; if it is no good, log that and go on as before."""


class Daemon(MultiService):
    """
    The service that a twistd plugin makes.

    A part that can't be opened ends the process with its sentence and status 1.
    SIGTERM closes the parts: each waits for what it has in hand.
    """

    def __init__(
        self,
        reactor: Any,
        parts: Sequence[Part],
        log: DaemonLog | None = None,
        fail: Callable[[Any, str], None] | None = None,
        warnings: Sequence[str] = (),
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """
        @param stopping: called before the first part is closed.
        @param warnings: what is to be said once, at the start.
        @param log: is opened when twistd takes the daemon over; None: twistd logs its own way.
        @param fail: called with the reactor and a sentence instead of ending the process.
        """
        super().__init__()
        self._reactor = reactor
        self._parts = tuple(parts)
        self._log = log
        self._fail = fail or _end
        self._warnings = warnings
        self._stopping = stopping
        self._opened: list[Part] = []
        self._opening: Deferred[None] | None = None

    def setServiceParent(self, parent: Any) -> Any:
        # twistd asks the application it made for us how to log
        if isinstance(parent, Componentized) and self._log is not None:
            try:
                self._log.open()
            except StartupError as error:
                print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
                raise SystemExit(1) from None
            parent.setComponent(ILogObserver, self._log)
        return super().setServiceParent(parent)

    def startService(self) -> None:
        super().startService()
        self._opening = Deferred.fromCoroutine(self._open())

    async def _open(self) -> None:
        for warning in self._warnings:
            _log.warn("{warning}", warning=warning)
        for part in self._parts:
            try:
                self._opened.append(part)
                await part.open()
            except CancelledError:
                raise
            except Exception as error:
                if self.running:  # else it is told to stop, and what waited gave up
                    self._failed(part, error)
                return
        _log.info("ready")

    def _failed(self, part: Part, error: Exception) -> None:
        sentence = str(error)
        if not isinstance(error, StartupError):
            name = type(part).__name__
            _log.failure("can't start {part}", Failure(error), part=name)
            sentence = f"can't start {name}; the log says why"
        self._fail(self._reactor, sentence)

    def reload(self) -> None:
        """Have the parts read again what they can; those not opened yet will."""
        _ = Deferred.fromCoroutine(self._reload())

    async def _reload(self) -> None:
        for part in tuple(self._opened):
            if isinstance(part, Reloadable):
                try:
                    await part.reload()
                except Exception:
                    _log.failure("{part} could not be reloaded", part=type(part).__name__)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        self._stopping()
        if self._opening is not None:
            opening = self._opening.addErrback(_cancelled)
            opening.cancel()
        while self._opened:
            part = self._opened.pop()
            try:
                await part.close()
            except Exception:
                _log.failure("{part} did not close cleanly", part=type(part).__name__)


def _cancelled(failure: Failure) -> None:
    failure.trap(CancelledError)


def _end(reactor: Any, sentence: str) -> None:
    """End the process with status 1, which twistd has no way to ask for."""
    _log.critical("{sentence}", sentence=sentence)
    # twistd takes what is printed on stderr for a line of the log
    print(f"{os.path.basename(sys.argv[0])}: {sentence}", file=sys.__stderr__, flush=True)
    atexit.register(_exit)
    reactor.callWhenRunning(reactor.stop)  # the first part may fail before it runs


def _exit() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
