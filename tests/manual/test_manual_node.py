"""The manual's flags of a node: its files, its log, its help."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.scripts._twistd_unix import ServerOptions

from nova_tx.auth.authority import Authority
from nova_tx.context import RequestContext
from nova_tx.flags import CryptoFlags, Flags, LogFlags
from nova_tx.log import in_context
from nova_tx.log.daemon_log import DaemonLog
from nova_tx.log.levels import Levels
from nova_tx.log.lines import Lines


def test_j86_state_path(manage: Callable[..., str], tmp_path: Path) -> None:
    """Everything that is kept is below it."""
    manage((f"--state_path={tmp_path}/state",), "db", "sync")
    assert (tmp_path / "state" / "nova.sqlite").exists()


@pytest.mark.parametrize("given", [True, False])
def test_j47_lock_path(tmp_path: Path, given: bool) -> None:
    """Lock files are there; without it beside what they lock."""
    words = [f"--ca_path={tmp_path}/CA"]
    if given:
        words.append(f"--lock_path={tmp_path}/locks")
    Authority(Flags.load(words, (CryptoFlags,)).section(CryptoFlags)).certificate()
    assert (tmp_path / "locks" / "nova-ca.lock").exists() is given
    assert (tmp_path / "CA" / ".lock").exists() is not given


# The log.


class Written(io.StringIO):
    """Where lines go."""

    def write(self, level: str, text: str) -> None:  # type: ignore[override]
        super().write(text)

    def reopen(self) -> None:
        pass


def logged(write: Callable[[Logger], object], *words: str) -> str:
    """What is in the log."""
    out = Written()
    flags = Flags.load(words, (LogFlags,)).section(LogFlags)
    log = DaemonLog(Levels(flags), Lines(flags, "nova-api", "HostA"), list)
    log._outputs = [out]  # not opened: then libraries would be heard, too
    write(Logger("nova_tx.room", observer=log))
    return out.getvalue()


def test_j17_default_log_levels() -> None:
    """A logger, by its name of now or of 2011, is heard from this level on, verbose or not."""

    def say(log: Logger) -> None:
        log.info("one")
        log.warn("two")

    assert "one" in logged(say)
    for name in ("nova_tx.room", "nova"):
        assert "one" not in (said := logged(say, f"--default_log_levels={name}=WARN", "--verbose"))
        assert "two" in said
    assert "three" in logged(lambda log: log.debug("three"), "--default_log_levels=nova=DEBUG")


def test_j48_logfile(started: Callable[..., Any], tmp_path: Path) -> None:
    """The log is in this file, and none but its owner and group may read it."""
    file = tmp_path / "nova.log"
    log = started("scheduler", f"--logfile={file}").log()
    log.open()
    try:
        Logger("nova_tx.room", observer=log).info("begun")
    finally:
        log.close()
    assert "begun" in file.read_text()
    assert not file.stat().st_mode & 0o007


def test_j50_logging_debug_format_suffix() -> None:
    """It is added to DEBUG lines, and to no others."""
    words = ("--verbose", "--logging_debug_format_suffix=<%(processName)s %(funcName)s>")

    def say(log: Logger) -> None:
        log.debug("one")
        log.info("two")

    one, two = logged(say, *words).splitlines()
    assert one.endswith("one <nova-api say>") and two.endswith("two")


def test_j67_pidfile(tmp_path: Path) -> None:
    """A daemon in the background writes its process id there, unless twistd is told another."""
    for words, there in (
        ((), "ours"),
        ((f"--pidfile={tmp_path}/its",), "its"),
    ):
        twistd = ServerOptions()
        flags = (f"--state_path={tmp_path}", f"--pidfile={tmp_path}/ours")
        twistd.parseOptions([*words, "nova-scheduler", *flags])
        assert twistd["pidfile"] == f"{tmp_path}/{there}"


def test_j49_logging_context_format_string() -> None:
    """A line of a request looks so."""
    context = RequestContext(user="john", project="physics", request_id="R")
    with in_context(context):
        words = "--logging_context_format_string=%(request_id)s|%(user)s|%(message)s"
        assert logged(lambda log: log.info("begun"), words) == "R|john|begun\n"


def test_j51_logging_default_format_string() -> None:
    """A line of no request looks so, also by the manual's name of the flag."""
    words = "--logging_defalut_format_string=%(levelname)s|%(name)s|%(message)s"
    assert logged(lambda log: log.info("begun"), words) == "INFO|nova_tx.room|begun\n"


def test_j52_logging_exception_prefix() -> None:
    """Each line of a traceback begins so."""

    def fail(log: Logger) -> None:
        log.failure("oh", Failure(ValueError("broken")))

    first, *others = logged(fail, "--logging_exception_prefix=TRACE %(name)s> ").splitlines()
    assert first.endswith("oh") and others
    assert all(each.startswith("TRACE nova_tx.room> ") for each in others)


def test_j89_verbose() -> None:
    """Details are in the log, or are not."""
    assert logged(lambda log: log.debug("detail")) == ""
    for word in ("--verbose", "--verbose=1", "--verbose=true"):
        assert "detail" in logged(lambda log: log.debug("detail"), word)


# Help.


@pytest.fixture
def helped(started: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a daemon prints before it ends with status 1."""

    def helped(word: str) -> str:
        with pytest.raises(SystemExit) as ended:
            started("network", word)
        assert ended.value.code == 1
        return capsys.readouterr().out

    return helped


@pytest.mark.parametrize("word", ["-?", "--help"])
def test_j40_help(helped: Callable[..., str], word: str) -> None:
    """All flags are shown."""
    shown = helped(word)
    assert "--rabbit_host: " in shown and "--network_size: " in shown and "-?,--[no]help: " in shown


def test_j41_helpshort(helped: Callable[..., str]) -> None:
    """The program's own flags are shown."""
    shown = helped("--helpshort")
    assert "--network_size: " in shown and "--rabbit_host: " not in shown


def test_j42_helpxml(helped: Callable[..., str]) -> None:
    """All flags are shown, as XML."""
    shown = helped("--helpxml")
    assert shown.startswith('<?xml version="1.0"?>\n<AllFlags>')
    assert "<name>rabbit_host</name>" in shown and "<name>network_size</name>" in shown
