"""
Running other programs: an argument list, a time limit, no shell, ever.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.interfaces import IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from nova_tx import metrics
from nova_tx.errors import ProcessFailed

_log = Logger()


@dataclass(frozen=True)
class Result:
    """How a program ended: its status (negative: killed by that signal) and what it printed."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class IRunner(Interface):
    """Runs programs on this host."""

    def run(
        argv: Sequence[str],
        stdin: bytes = b"",
        check: bool = True,
        timeout: float = 60.0,
        heard: Callable[[bytes], object] | None = None,
    ) -> Awaitable[Result]:
        """
        Run a program as root (by sudo if this process is not).

        @param argv: the program and its arguments.
        @param check: whether a status other than 0 is a failure.
        @param timeout: seconds after which the program is killed.
        @param heard: told what it prints on stdout, while it does.
        @raise ProcessFailed: it did not end in time, can't be found, or
            C{check} is true and it failed.
        """


class _Collector(ProcessProtocol):
    def __init__(self, stdin: bytes, heard: Callable[[bytes], object] | None) -> None:
        self._stdin = stdin
        self._heard = heard
        self.out: list[bytes] = []
        self.err: list[bytes] = []
        self.ended: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        if self._stdin:
            self.transport.write(self._stdin)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.out.append(data)
        if self._heard is not None:
            self._heard(data)

    def errReceived(self, data: bytes) -> None:
        self.err.append(data)

    def processEnded(self, reason: Failure) -> None:
        if self.ended.called:
            return
        value = reason.value
        if isinstance(value, ProcessDone):
            self.ended.callback(0)
        else:
            signal = getattr(value, "signal", None)
            code = getattr(value, "exitCode", None)
            self.ended.callback(-signal if signal else code if code is not None else 1)


@implementer(IRunner)
class Runner:
    """Programs on the real host, through the reactor."""

    def __init__(self, reactor: IReactorProcess, sudo: Sequence[str] | None = None) -> None:
        """
        @param sudo: what to put in front of every command; by default
            C{sudo -n} unless this process is root, or was given capabilities
            that its programs inherit.                          [capabilities(7)]
        """
        self._reactor = reactor
        default = () if os.geteuid() == 0 or inherited() else ("sudo", "-n")
        self._sudo = tuple(default if sudo is None else sudo)

    async def run(
        self,
        argv: Sequence[str],
        stdin: bytes = b"",
        check: bool = True,
        timeout: float = 60.0,
        heard: Callable[[bytes], object] | None = None,
    ) -> Result:
        full = (*self._sudo, *argv)
        collector = _Collector(stdin, heard)
        ended = collector.ended
        environment = _environment()
        program = shutil.which(full[0], path=environment["PATH"])
        if program is None:
            raise ProcessFailed(tuple(argv), 127, "not found")
        transport = self._reactor.spawnProcess(collector, program, full, env=environment)
        clock = IReactorTime(self._reactor)
        late = False

        def kill() -> None:
            nonlocal late
            late = True
            try:
                transport.signalProcess("KILL")
            except ProcessExitedAlready:
                pass
            except PermissionError:  # it is root's: only we can let go
                if not ended.called:
                    ended.callback(-9)
            # a child of it may live on and keep the pipes open
            transport.loseConnection()

        alarm = clock.callLater(timeout, kill)
        began = perf_counter()
        try:
            code = await ended
        except CancelledError:
            kill()
            raise
        finally:
            if alarm.active():
                alarm.cancel()
        seconds = perf_counter() - began
        metrics.PROGRAM_SECONDS.observe(seconds, os.path.basename(argv[0]))
        _log.debug(
            "{command} ended with status {code} in {seconds:.3f} s",
            command=shlex.join(argv),
            code=code,
            seconds=seconds,
        )
        result = Result(code, b"".join(collector.out), b"".join(collector.err))
        if late or (check and code != 0):
            raise ProcessFailed(
                tuple(argv), None if late else code, result.stderr.decode("utf-8", "replace")
            )
        return result


def inherited() -> int:
    """The ambient capabilities of this process, a bit each."""
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines.get("CapAmb", "0"), 16)


def _environment() -> dict[str, str]:
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    return {**os.environ, "PATH": path, "LC_ALL": "C"}
