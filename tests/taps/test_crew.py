"""Several processes of one program: started, started again, ended."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, ProcessDone, ProcessTerminated
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from nova_tx.errors import StartupError
from nova_tx.taps.api import Options
from nova_tx.taps.crew import GRACE, Crew, Lifeline, Program, program
from nova_tx.taps.listener import LEAVING, Listener


class Process:
    """One that was started."""

    def __init__(self, protocol: Any, argv: list[str], how: dict[str, Any]) -> None:
        self.protocol, self.argv, self.how = protocol, argv, how
        self.pid = 4711
        self.signals: list[int] = []
        self.told = b""

    def writeToChild(self, number: int, data: bytes) -> None:
        assert number == 0
        self.told += data

    def signalProcess(self, number: int) -> None:
        self.signals.append(number)

    def end(self, code: int | None = None) -> None:
        """It ends: by itself, or by SIGKILL."""
        reason = ProcessDone(0) if code == 0 else ProcessTerminated(signal=signal.SIGKILL)
        self.protocol.processEnded(Failure(reason))


class Reactor(Clock):
    """Starts nothing, but writes it down."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Process] = []
        self.broken = False

    def spawnProcess(self, protocol: Any, executable: str, argv: list[str], **how: Any) -> None:
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        assert executable == argv[0]
        self.started.append(Process(protocol, argv, how))
        protocol.transport = self.started[-1]


class Door:
    """A listener that is open."""

    class port:
        @staticmethod
        def fileno() -> int:
            return 7


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


async def opened(reactor: Reactor, size: int = 1) -> Crew:
    """A crew that was started."""
    how = Program("nova-api", ["--flagfile=x"], "/somewhere")
    crew = Crew(reactor, size, how, Door())  # type: ignore[arg-type]
    await crew.open()
    return crew


async def test_started_as_the_first_was(reactor: Reactor) -> None:
    """Each gets the same flags, in the same directory, and the socket."""
    await opened(reactor, 2)
    assert len(reactor.started) == 2
    for process in reactor.started:
        assert process.argv[1:4] == ["-m", "nova_tx.taps.launch", "nova-api"]
        assert process.argv[-1] == "--flagfile=x"
        assert f"--rundir={os.getcwd()}" in process.argv
        assert process.how["path"] == "/somewhere"
        assert process.how["childFDs"] == {0: "w", 1: 1, 2: 2, 3: 7}
        assert process.how["env"]["NOVA_TX_CREW_SOCKET"] == "3"


def test_flags_are_handed_on() -> None:
    """What the first read, with the flag file that it found, is what the others read."""
    options = Options()
    options.parseOptions(["--ec2_listen_port=1", "--noverbose"])
    options.parent = {"logfile": "api.log", "nodaemon": False}
    found = program(options)
    assert [*found.words] == ["--logfile=api.log", "--ec2_listen_port=1", "--noverbose"]
    assert (found.name, found.directory) == ("nova-api", os.getcwd())


def test_a_flag_file_that_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others, which are started otherwise, read the flag file that the first found."""
    (tmp_path / "nova.conf").write_text("--ec2_listen_port=1\n")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "nova-api")])
    options = Options()
    options.parseOptions(["--noverbose"])
    assert [*options.words] == [f"--flagfile={tmp_path}/nova.conf", "--noverbose"]


async def test_pauses_grow(reactor: Reactor) -> None:
    """One that dies again and again is started less and less often; one that lived, at once."""
    await opened(reactor)
    for pause in (0.5, 1, 2, 4, 8, 16, 30, 30):
        reactor.started[-1].end()
        count = len(reactor.started)
        reactor.advance(pause - 0.1)
        assert len(reactor.started) == count
        reactor.advance(0.1)
        assert len(reactor.started) == count + 1
    reactor.advance(60)
    reactor.started[-1].end(0)
    reactor.advance(0.5)
    assert len(reactor.started) == 10


async def test_no_process_to_be_had(reactor: Reactor) -> None:
    """A host that has no room for a process is asked again later."""
    reactor.broken = True
    await opened(reactor)
    reactor.broken = False
    reactor.advance(0.5)
    assert len(reactor.started) == 1


async def test_reloaded(reactor: Reactor) -> None:
    """Each that lives is told to reload; one that starts later has nothing to be told."""
    crew = await opened(reactor, 2)
    reactor.started[1].end()
    await crew.reload()
    reactor.advance(1)
    assert [bool(process.told) for process in reactor.started] == [True, False, False]


async def test_ended(reactor: Reactor) -> None:
    """Closing tells each to end, waits for it, and starts none again."""
    crew = await opened(reactor, 3)
    reactor.started[2].end()
    closing = Deferred.fromCoroutine(crew.close())
    first, second, _ = reactor.started
    assert first.signals == second.signals == [signal.SIGTERM]
    first.end(0)
    assert not closing.called
    reactor.advance(GRACE)
    assert second.signals == [signal.SIGTERM, signal.SIGKILL]
    second.end()
    assert closing.called and reactor.getDelayedCalls() == []
    assert len(reactor.started) == 3


@pytest.fixture
def pipe() -> Iterator[list[int]]:
    """Both ends; a test that closes one takes it out."""
    ends = list(os.pipe())
    yield ends
    for each in ends:
        os.close(each)


async def test_lifeline(pipe: list[int]) -> None:
    """When the first is dead the process ends; not for anything less: that has it reload."""
    from twisted.internet import reactor

    dead: Deferred[None] = Deferred()
    told: list[int] = []

    renew = (lambda: told.append(1), lambda: told.append(2))
    line = Lifeline(reactor, renew, lambda: dead.called or dead.callback(None), pipe[0])
    line.hold()
    os.write(pipe[1], b"still there")
    line.doRead()
    line.doRead()
    line.connectionLost(Failure(ConnectionLost()))
    assert not dead.called and told == [1, 2]
    os.close(pipe.pop())
    await dead
    reactor.removeReader(line)  # type: ignore[attr-defined]


def test_end_of_file_is_death(pipe: list[int]) -> None:
    """However the reactor says that the other end is closed."""
    dead: list[int] = []

    def renew() -> None:
        raise AssertionError

    line = Lifeline(Clock(), (renew,), lambda: dead.append(1), pipe[0])
    line.connectionLost(Failure(ConnectionDone()))
    os.close(pipe.pop())
    line.doRead()
    assert dead == [1, 1]


async def test_a_socket_that_is_handed_over() -> None:
    """A listener takes a socket that listens already, and leaves it open for others."""
    from twisted.internet import reactor

    first = Listener(reactor, "127.0.0.1", 0, Factory.forProtocol(Protocol), shared=True)
    await first.open()
    port: Any = first.port
    second = Listener(
        reactor,
        "",
        0,
        Factory.forProtocol(Protocol),
        shared=True,
        inherited=os.dup(port.fileno()),
    )
    await second.open()
    other: Any = second.port
    assert other.getHost() == port.getHost()
    await second.close()
    with socket.create_connection(("127.0.0.1", port.getHost().port), 5.0):
        pass
    await first.close()


class Waiting(Clock):
    """Listens really, and waits as long as it is told."""

    def adoptStreamPort(self, *how: Any) -> object:
        from twisted.internet import reactor

        return reactor.adoptStreamPort(*how)  # type: ignore[attr-defined]


def opening(reactor: Clock, port: int, shared: bool) -> tuple[Listener, Deferred[None]]:
    """A listener, and what comes of opening it."""
    listener = Listener(reactor, "127.0.0.1", port, Factory.forProtocol(Protocol), shared=shared)
    return listener, Deferred.fromCoroutine(listener.open())


async def test_a_port_of_those_left_behind() -> None:
    """A port that processes of a dead first one still have is waited for; nobody else's is."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port, reactor = held.getsockname()[1], Waiting()
        with pytest.raises(StartupError, match="in use"):
            await opening(reactor, port, False)[1]
        listener, opened = opening(reactor, port, True)
        reactor.advance(1.0)
        assert not opened.called
    reactor.advance(1.0)
    assert opened.called
    await opened
    await listener.close()


async def test_a_port_of_somebody_else() -> None:
    """A port that nobody leaves can't be had, at last."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        reactor = Waiting()
        _, opened = opening(reactor, held.getsockname()[1], True)
        reactor.advance(LEAVING)
        with pytest.raises(StartupError, match="in use"):
            await opened


async def test_one_at_a_time() -> None:
    """A listener that shares its socket leaves all connections but one to the others, each turn."""
    from twisted.internet import reactor

    taken: list[object] = []

    class Guest(Protocol):
        def connectionMade(self) -> None:
            taken.append(self)
            self.transport.loseConnection()  # type: ignore[union-attr]

    listener = Listener(reactor, "127.0.0.1", 0, Factory.forProtocol(Guest), shared=True)
    await listener.open()
    port: Any = listener.port
    where = ("127.0.0.1", port.getHost().port)
    there = [socket.create_connection(where, 5.0) for _ in range(3)]
    for number in range(3):
        assert len(taken) == number
        port.doRead()
    assert len(taken) == 3
    for each in there:
        each.close()
    await listener.close()
