"""Running programs: the suite on the real runner and on the fake, and what only real ones do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater

from nova_tx import process
from nova_tx.context import RequestContext
from nova_tx.errors import ProcessFailed
from nova_tx.log import in_context
from nova_tx.process import Result, Runner
from nova_tx.testing.conformance.runner import RunnerConformance
from nova_tx.testing.lines import logged_lines
from nova_tx.testing.runner import FakeRunner, Ran, hang, missing


class TestRunner(RunnerConformance):
    """Real programs."""

    @pytest.fixture
    def runner(self) -> Runner:
        return Runner(reactor, sudo=())


class TestFakeRunner(RunnerConformance):
    """Told what to answer."""

    @pytest.fixture
    def runner(self) -> FakeRunner:
        fake = FakeRunner()
        fake.answer("false", exit_code=1)
        fake.program("cat", does=lambda argv, stdin: Result(0, stdin, b""))
        fake.program("printf", "%s", does=lambda argv, stdin: Result(0, argv[2].encode(), b""))
        fake.program("sleep", does=hang)
        fake.program("no-such-program-anywhere", does=missing)
        return fake


async def test_fake_remembers() -> None:
    """The fake tells what was run, in order, and the answer with the most words wins."""
    fake = FakeRunner()
    fake.answer("ip", stdout=b"some")
    fake.answer("ip", "link", stdout=b"link")
    assert (await fake.run(["ip", "link", "show"])).stdout == b"link"
    assert (await fake.run(["ip", "addr"], stdin=b"x")).stdout == b"some"
    assert fake.ran == [Ran(("ip", "link", "show"), b""), Ran(("ip", "addr"), b"x")]


async def test_stderr() -> None:
    """The error holds the end of what the program said, and its status."""
    runner = Runner(reactor, sudo=())
    with pytest.raises(ProcessFailed, match="status 3: no such bridge") as caught:
        await runner.run(["sh", "-c", "echo no such bridge >&2; exit 3"])
    assert caught.value.stderr == "no such bridge\n"


async def test_signal() -> None:
    """A program that a signal ended has the signal's negative number as its status."""
    runner = Runner(reactor, sudo=())
    result = await runner.run(["sh", "-c", "kill -TERM $$"], check=False)
    assert result.exit_code == -15


async def test_in_the_log() -> None:
    """A program that was run is in the log of its request, with its words and its status."""
    context = RequestContext(user="john", project="physics")
    with logged_lines() as lines, in_context(context):
        await Runner(reactor, sudo=()).run(["sh", "-c", "exit 3"], stdin=b"hush", check=False)
    assert lines.of("sh -c 'exit 3' ended with status 3 in ") == [context.request_id]
    assert "hush" not in str(lines.told)


async def test_sudo() -> None:
    """What goes in front of every command is not in the error's argv."""
    runner = Runner(reactor, sudo=("env", "-u", "HOME"))
    assert (await runner.run(["printenv", "HOME"], check=False)).exit_code == 1
    with pytest.raises(ProcessFailed) as caught:
        await runner.run(["false"])
    assert caught.value.argv == ("false",)


async def test_rights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sudo is asked for by who has no rights to hand on, and by nobody else."""
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\necho sudo: "$@"\n')
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for user, capabilities, asked in ((0, 0, False), (1000, 0, True), (1000, 1 << 12, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        monkeypatch.setattr(process, "inherited", lambda held=capabilities: held)
        result = await Runner(reactor).run(["echo", "hello"])
        assert result.stdout == (b"sudo: -n echo hello\n" if asked else b"hello\n")


def test_capabilities_are_inherited() -> None:
    """A process that was given capabilities for its programs knows of them."""
    say = "from nova_tx.process import inherited; print(inherited())"
    python = [sys.executable, "-c", say]
    given = ["setpriv", "--inh-caps=-all,+net_admin", "--ambient-caps=-all,+net_admin", "--"]
    said = [
        subprocess.run(each, check=True, capture_output=True).stdout
        for each in (python, given + python)
    ]
    assert [int(each) for each in said] == [0, 1 << 12]


async def test_late_with_children(tmp_path: Path) -> None:
    """A child that outlives the program and keeps its output open does not hold up the time-out."""
    runner = Runner(reactor, sudo=())
    child = tmp_path / "child"
    script = f"sleep 3600 & echo $! > {child}.new; mv {child}.new {child}; exec sleep 3600"
    running = Deferred.fromCoroutine(runner.run(["sh", "-c", script], timeout=5.0))
    with pytest.raises(ProcessFailed, match="did not end in time"):
        await running
    os.kill(int(child.read_text()), signal.SIGKILL)  # it is there still


async def test_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of /usr/sbin are found though this process's PATH lacks it."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert (await Runner(reactor, sudo=()).run(["ldconfig", "--version"])).exit_code == 0


async def test_cancelled(tmp_path: os.PathLike[str]) -> None:
    """A program whose caller no longer waits is killed."""
    runner = Runner(reactor, sudo=())
    fifo = os.path.join(tmp_path, "fifo")
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    run = Deferred.fromCoroutine(runner.run(["sh", "-c", 'exec sleep 3600 > "$0"', fifo]))
    await _until(lambda: _open_elsewhere(end))
    run.cancel()
    with pytest.raises(CancelledError):
        await run
    await _until(lambda: not _open_elsewhere(end))
    os.close(end)


def _open_elsewhere(end: int) -> bool:
    """Whether someone has the other end of the pipe open."""
    try:
        return os.read(end, 1) != b""
    except BlockingIOError:
        return True


async def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await deferLater(reactor, 0.01)
