"""
Several processes of one program behind one port.

The first listens, and hands its socket to the others, which it starts, starts again when they
die, and ends when it ends.  Whoever is free takes the next connection.  The others' standard
input comes from the first: what it says there is to reload; when it closes, the first is dead,
and they die at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ConnectionDone, ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from nova_tx.taps.listener import Listener
from nova_tx.taps.options import DaemonOptions

_log = Logger()

#: Where one of the others finds, in its environment, the descriptor of the socket.
_INHERITED = "NOVA_TX_CREW_SOCKET"
_SOCKET = 3
#: And where the number that it has among them.
_NUMBER = "NOVA_TX_CREW_NUMBER"

#: Seconds until one that died is started again: the first time, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
#: Seconds after which one that lives counts as well.
WELL = 60.0
#: Seconds that one has to end what is in hand.
GRACE = 60.0


def inherited() -> int | None:
    """The descriptor of the socket that this process was handed; None: it is the first."""
    found = os.environ.get(_INHERITED)
    return int(found) if found else None


def number() -> int:
    """Which of them this process is; 0 is the first."""
    return int(os.environ.get(_NUMBER, 0))


@dataclass(frozen=True)
class Program:
    """
    How one of the others is started.

    @ivar name: the daemon's.
    @ivar words: twistd's options and the daemon's flags.
    @ivar directory: in which relative paths among them are meant.
    """

    name: str
    words: Sequence[str]
    directory: str

    def argv(self) -> list[str]:
        """Its command line; it runs where this process does."""
        launch = (sys.executable, "-m", "nova_tx.taps.launch", self.name)
        return [*launch, "--nodaemon", "--pidfile=", f"--rundir={os.getcwd()}", *self.words]


def program(options: DaemonOptions) -> Program:
    """What this process was started as, as long as it is still where that was."""
    log = [f"--logfile={options.logfile}"] if options.logfile else []
    if options.syslog:
        log += ["--syslog", f"--prefix={options.syslog}"]
    return Program(options.program, [*log, *options.words], os.getcwd())


class Crew:
    """A part of the first process: the others."""

    def __init__(self, reactor: Any, size: int, program: Program, listener: Listener) -> None:
        """
        @param size: how many others.
        @param listener: is opened before.
        """
        self._reactor = reactor
        self._program = program
        self._listener = listener
        self._mates = [_Mate(reactor, partial(self._spawn, each + 1)) for each in range(size)]

    async def open(self) -> None:
        """Start them; they are on their own from then on."""
        for mate in self._mates:
            mate.start()

    async def close(self) -> None:
        """End them, each after what it has in hand."""
        await DeferredList([mate.stop() for mate in self._mates])

    async def reload(self) -> None:
        """Have them read again what they can; one that is about to start does so anyway."""
        for mate in self._mates:
            mate.reload()

    def _spawn(self, number: int, protocol: ProcessProtocol) -> None:
        argv = self._program.argv()
        port: Any = self._listener.port
        self._reactor.spawnProcess(
            protocol,
            argv[0],
            argv,
            env={**os.environ, _INHERITED: str(_SOCKET), _NUMBER: str(number)},
            path=self._program.directory,
            childFDs={0: "w", 1: 1, 2: 2, _SOCKET: port.fileno()},
        )


class _Mate(ProcessProtocol):
    """One of the others, in all its lives."""

    def __init__(self, reactor: Any, spawn: Callable[[ProcessProtocol], None]) -> None:
        self._reactor = reactor
        self._spawn = spawn
        self._pause = FIRST_PAUSE
        self._began = 0.0
        self._next: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self.transport: Any = None

    def start(self) -> None:
        self._next = None
        self._began = self._reactor.seconds()
        try:
            self._spawn(self)
        except OSError as error:
            self._over(f"can't be started: {error.strerror}")
        else:
            _log.info("process {pid} serves, too", pid=self.transport.pid)

    def processEnded(self, reason: Failure) -> None:
        self.transport, pid = None, self.transport and self.transport.pid
        self._over(f"{pid} ended: {reason.getErrorMessage()}")

    def _over(self, what: str) -> None:
        if self._stopped is not None:
            self._stopped.callback(None)
            return
        if self._reactor.seconds() - self._began >= WELL:
            self._pause = FIRST_PAUSE
        _log.warn("process {what}; again in {pause} s", what=what, pause=self._pause)
        self._next = self._reactor.callLater(self._pause, self.start)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def reload(self) -> None:
        """
        Tell it to reload.

        Not by a signal, which would end one that has only begun: this it finds when it is ready.
        """
        if self.transport is not None:
            self.transport.writeToChild(0, b"\n")

    def stop(self) -> Deferred[None]:
        """Tell it to end; fires when it has."""
        self._stopped = Deferred()
        if self._next is not None:
            self._next.cancel()
        if self.transport is None:
            self._stopped.callback(None)
            return self._stopped
        alarm = self._reactor.callLater(GRACE, self._signal, signal.SIGKILL)
        self._signal(signal.SIGTERM)
        return self._stopped.addBoth(lambda _: alarm.active() and alarm.cancel())

    def _signal(self, number: signal.Signals) -> None:
        try:
            self.transport.signalProcess(number)
        except ProcessExitedAlready:
            pass


def die() -> None:
    """End this process as a kill does: the port must be free for the next first one."""
    _log.warn("the first process is dead, and so is this one")
    os._exit(1)


@implementer(IReadDescriptor)
class Lifeline:
    """In each of the others: it reloads when the first says so, and ends when that is dead."""

    def __init__(
        self,
        reactor: Any,
        renew: Sequence[Callable[[], object]],
        end: Callable[[], None] = die,
        number: int = 0,
    ) -> None:
        """
        @param renew: what is called to reload, as SIGHUP does in the first.
        @param end: ends the process; there is nobody left to wait for.
        @param number: the descriptor.
        """
        self._reactor = reactor
        self._renew = renew
        self._end = end
        self._number = number

    def hold(self) -> None:
        """From now on."""
        os.set_blocking(self._number, False)
        self._reactor.addReader(self)

    def fileno(self) -> int:
        return self._number

    def doRead(self) -> None:
        try:
            if os.read(self._number, 64):
                for each in self._renew:
                    each()
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor found the other end closed; or it stops, which is another reason."""
        if reason.check(ConnectionDone):
            self._end()

    def logPrefix(self) -> str:
        return "lifeline"
