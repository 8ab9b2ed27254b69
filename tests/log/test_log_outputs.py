"""Where lines go, and what becomes of those that find no room."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from twisted.logger import Logger, LogLevel, globalLogPublisher

from nova_tx.errors import StartupError
from nova_tx.flags import LogFlags
from nova_tx.log.daemon_log import DaemonLog
from nova_tx.log.levels import Levels
from nova_tx.log.lines import Lines
from nova_tx.log.outputs import File, Output, Syslog, path


class Full:
    """A disk that is full until a test says otherwise."""

    def __init__(self) -> None:
        self.full = True
        self.lines: list[str] = []

    def write(self, level: str, text: str) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(text)

    def reopen(self) -> None:
        pass

    def close(self) -> None:
        pass


def log(*outputs: Output, verbose: bool = False) -> DaemonLog:
    """A daemon's log that goes there; libraries are left alone."""
    flags = LogFlags(verbose=verbose)
    made = DaemonLog(Levels(flags), Lines(flags, "nova-api", "HostA"), lambda: outputs)
    made._outputs = outputs
    return made


def say(to: DaemonLog, *texts: str, level: LogLevel = LogLevel.info) -> None:  # type: ignore[valid-type]
    """Say something."""
    for each in texts:
        Logger(namespace="nova_tx.room", observer=to).emit(level, each)


def test_debug_lines_need_verbose(tmp_path: Path) -> None:
    """Debug messages are written only with --verbose."""
    for verbose in (False, True):
        file = tmp_path / str(verbose)
        made = log(File(str(file)), verbose=verbose)
        say(made, "hidden", level=LogLevel.debug)
        made.close()
        assert ("hidden" in file.read_text()) is verbose


def test_a_file_is_the_daemons_own(tmp_path: Path) -> None:
    """Others than its group do not read it, and what was in it stays."""
    file = tmp_path / "api.log"
    for text in ("first", "second"):
        made = log(File(str(file)))
        say(made, text)
        made.close()
    assert [each.split()[-1] for each in file.read_text().splitlines()] == ["first", "second"]
    assert not stat.S_IMODE(file.stat().st_mode) & 0o137


def test_a_file_that_was_rotated(tmp_path: Path) -> None:
    """After its file was renamed, or SIGHUP, a daemon writes to a new one of that name."""
    file = tmp_path / "api.log"
    made = log(File(str(file)))
    say(made, "first")
    file.rename(tmp_path / "api.log.1")
    say(made, "second")
    file.rename(tmp_path / "api.log.2")
    made.reopen()
    assert file.read_text() == ""
    say(made, "third")
    made.close()
    files = [tmp_path / name for name in ("api.log.1", "api.log.2", "api.log")]
    texts = [each.read_text() for each in files]
    assert [each.split()[-1] for each in texts] == ["first", "second", "third"]


def test_a_directory_that_went_away(tmp_path: Path) -> None:
    """A file that can't be opened anew is kept: the daemon goes on."""
    (tmp_path / "log").mkdir()
    made = log(File(str(tmp_path / "log" / "api.log")))
    (tmp_path / "log").rename(tmp_path / "old")
    say(made, "kept")
    made.reopen()
    made.close()
    assert "kept" in (tmp_path / "old" / "api.log").read_text()


def test_a_file_that_can_not_be(tmp_path: Path) -> None:
    """A log file that can't be opened is one sentence."""
    with pytest.raises(StartupError, match=r"can't open log file .*: No such file or directory"):
        File(str(tmp_path / "no" / "api.log"))


def test_a_full_disk_costs_lines_only() -> None:
    """Lines without room are lost, and when there is room again the log says how many."""
    disk = Full()
    made = log(disk)
    say(made, "one", "two")
    disk.full = False
    globalLogPublisher.addObserver(made)
    try:
        say(made, "three")
    finally:
        globalLogPublisher.removeObserver(made)
    assert "three" in disk.lines[0]
    assert "2 lines of the log are lost: No space left on device" in disk.lines[1]
    assert len(disk.lines) == 2


def test_half_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line of which only the beginning found room does not run into the next."""
    file = tmp_path / "api.log"
    made = log(File(str(file)))
    write, room = os.write, [10]

    def short(number: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        room[0], size = 0, room[0]
        return write(number, data[:size])

    monkeypatch.setattr(os, "write", short)
    say(made, "torn")
    monkeypatch.setattr(os, "write", write)
    say(made, "whole")
    made.close()
    torn, whole = file.read_text().splitlines()[:2]
    assert len(torn) == 10 and whole.endswith(" whole")


@pytest.fixture
def daemon_of_syslog(tmp_path: Path) -> socket.socket:
    """What listens at /dev/log."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(str(tmp_path / "log"))
    listening.setblocking(False)
    return listening


def received(listening: socket.socket) -> list[str]:
    """All that came."""
    found = []
    while True:
        try:
            found.append(listening.recv(2**16).decode())
        except BlockingIOError:
            return found


def test_syslog(daemon_of_syslog: socket.socket, tmp_path: Path) -> None:
    """A message is one record with its severity, program and process; lines are parted by #012."""
    made = log(Syslog("nova-api", str(tmp_path / "log"), now=lambda: 0.0))
    say(made, "a\nb", level=LogLevel.error)
    say(made, "é" * 10_000)
    made.close()
    first, long = received(daemon_of_syslog)
    daemon_of_syslog.close()
    assert first.startswith("<11>") and f" nova-api[{os.getpid()}]: " in first
    assert " nova_tx.room [-] a#012(nova_tx.room): TRACE: b" in first and "\n" not in first
    assert long.startswith("<14>") and 8000 < len(long.encode()) <= 8192


def test_nobody_waits_for_syslog(daemon_of_syslog: socket.socket, tmp_path: Path) -> None:
    """What syslog has no room for, or nobody takes, is lost; it may be started anew."""
    made = log(Syslog("nova-api", str(tmp_path / "log")))
    say(made, *map(str, range(5000)))  # more than a socket holds: this would not come back
    lost, some = made.lost.total(), len(received(daemon_of_syslog))
    assert some > 0 and lost + some == 5000
    daemon_of_syslog.close()
    os.unlink(tmp_path / "log")
    say(made, "nobody hears this")
    assert made.lost.total() == lost + 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(str(tmp_path / "log"))
        say(made, "heard")
        assert b"heard" in again.recv(2**16)
    made.close()


@pytest.mark.parametrize(
    ("flags", "where"),
    [
        (LogFlags(), None),
        (LogFlags(logfile="/l/a.log"), "/l/a.log"),
        (LogFlags(logdir="/l"), "/l/nova-api.log"),
        (LogFlags(logdir="/l", logfile="a.log"), "/l/a.log"),
        (LogFlags(logdir="/l", logfile="/m/a.log"), "/m/a.log"),
    ],
)
def test_path(flags: LogFlags, where: str | None) -> None:
    """logfile is a path, or a name in logdir; logdir alone has a file for each program."""
    assert path(flags, "nova-api") == where


def test_every_output_is_tried() -> None:
    """One that fails takes nothing from the others."""
    first, second = Full(), Full()
    second.full = False
    outputs: Sequence[Output] = (first, second)
    made = log(*outputs)
    globalLogPublisher.addObserver(made)
    try:
        say(made, "heard", "again")
        first.full = False
        say(made, "last")
    finally:
        globalLogPublisher.removeObserver(made)
    assert [each.split(" [-] ")[1] for each in first.lines] == [
        "last\n",
        "2 lines of the log are lost: No space left on device\n",
    ]
    texts = [each.split(" [-] ")[1] for each in second.lines]
    assert sorted(texts) == [
        "2 lines of the log are lost: No space left on device\n",
        "again\n",
        "heard\n",
        "last\n",
    ]
