"""Where a daemon logs and has its process id: twistd's words come first, then the flags."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.application.service import Application
from twisted.logger import ILogObserver, Logger
from twisted.scripts._twistd_unix import ServerOptions

from nova_tx.errors import StartupError
from nova_tx.log import outputs
from nova_tx.taps import scheduler
from nova_tx.taps.crew import program
from nova_tx.taps.options import DaemonOptions


def read(words: str, tmp_path: Path) -> DaemonOptions:
    """What C{twistd} reads, on the words before and after the daemon's name."""
    before, _, after = words.partition("nova-scheduler")
    twistd = ServerOptions()
    flags = [f"--state_path={tmp_path}", *after.split()]
    twistd.parseOptions([*before.split(), "nova-scheduler", *flags])
    found = twistd.subOptions
    assert isinstance(found, DaemonOptions)
    return found


@pytest.mark.parametrize(
    ("words", "pidfile"),
    [
        ("nova-scheduler", "nova-scheduler.pid"),
        ("-n nova-scheduler", ""),
        ("nova-scheduler --pidfile=/run/a.pid", "/run/a.pid"),
        ("-n nova-scheduler --pidfile=/run/a.pid", "/run/a.pid"),
        ("--pidfile=/run/b.pid nova-scheduler --pidfile=/run/a.pid", "/run/b.pid"),
        ("-n --pidfile= nova-scheduler --pidfile=/run/a.pid", ""),
    ],
)
def test_pidfile(words: str, pidfile: str, tmp_path: Path) -> None:
    """The flag counts where twistd was not told."""
    where = os.path.abspath(pidfile) if pidfile else ""
    assert read(words, tmp_path).parent["pidfile"] == where


@pytest.mark.parametrize(
    ("words", "logfile", "syslog"),
    [
        ("-n nova-scheduler", "-", None),
        ("nova-scheduler", "twistd.log", None),
        ("--logfile=t.log nova-scheduler --logfile=f.log", "t.log", None),
        ("-n nova-scheduler --logfile=f.log", "f.log", None),
        ("nova-scheduler --logdir=/l", "/l/nova-scheduler.log", None),
        ("-n nova-scheduler --use_syslog", None, "nova-scheduler"),
        ("nova-scheduler --use_syslog --logdir=/l", "/l/nova-scheduler.log", "nova-scheduler"),
        ("--syslog --prefix=cloud nova-scheduler", None, "cloud"),
        ("-n --logfile=- nova-scheduler --logdir=/l", "-", None),
    ],
)
def test_where_it_logs(words: str, logfile: str | None, syslog: str | None, tmp_path: Path) -> None:
    """The flags count where twistd was not told; syslog is beside a file, not beside a terminal."""
    found = read(words, tmp_path)
    assert (found.logfile, found.syslog) == (logfile, syslog)


def test_handed_on(tmp_path: Path) -> None:
    """Further processes of the daemon log to where the first one does."""
    words = program(read("--syslog --prefix=cloud nova-scheduler --verbose", tmp_path)).words
    assert list(words)[:2] == ["--syslog", "--prefix=cloud"]


@pytest.fixture
def syslogd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A syslog at another place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "dev-log"))
        listening.setblocking(False)
        monkeypatch.setattr(outputs, "DEV_LOG", str(tmp_path / "dev-log"))
        yield listening


def test_twistd_is_told(tmp_path: Path, syslogd: socket.socket) -> None:
    """The application that twistd runs logs to the file and to syslog that the flags name."""
    options = read(f"-n nova-scheduler --use_syslog --logdir={tmp_path}", tmp_path)
    daemon = scheduler.makeService(options)  # type: ignore[arg-type]
    assert not (tmp_path / "nova-scheduler.log").exists()
    application = Application("nova")
    daemon.setServiceParent(application)
    log = application.getComponent(ILogObserver)
    Logger(namespace="nova_tx.room", observer=log).warn("careful")
    log.close()
    assert " WARNING nova_tx.room [-] careful\n" in (tmp_path / "nova-scheduler.log").read_text()
    record = syslogd.recv(2**16).decode()
    assert f" nova-scheduler[{os.getpid()}]: " in record and record.endswith("careful")


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("--default_log_levels=nova", "'nova' is not logger=LEVEL"),
        ("--logdir=/nonexistent/directory", "can't open log file"),
    ],
)
def test_what_can_not_be(
    flag: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A log that can't be written as the flags say ends the daemon with one sentence."""
    options = read(f"-n nova-scheduler {flag}", tmp_path)
    with pytest.raises(SystemExit) as ended:
        daemon = scheduler.makeService(options)  # type: ignore[arg-type]
        daemon.setServiceParent(Application("nova"))
    said = capsys.readouterr().err
    assert ended.value.code == 1 and said.count("\n") == 1 and why in said


def test_levels_are_understood_before(tmp_path: Path) -> None:
    """A wrong level is found when the log is made, not when something is said."""
    with pytest.raises(StartupError):
        read("-n nova-scheduler --default_log_levels=a=b", tmp_path).log()
