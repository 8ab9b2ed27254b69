"""Processes that are known by files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from nova_tx.local import processes


def test_it_is_found_and_ended(tmp_path: Path) -> None:
    """A process runs by its file until it is ended; then file and process are gone."""
    record = tmp_path / "sleep.pid"
    pid = processes.start(["sleep", "600"], record, tmp_path / "log")
    assert processes.running(record) == pid
    processes.end(record)
    assert processes.started(pid) is None
    assert not record.exists()
    processes.end(record)


def test_who_does_not_listen_is_killed(tmp_path: Path) -> None:
    """A process that ignores SIGTERM is ended all the same."""
    record, log = tmp_path / "stubborn.pid", tmp_path / "log"
    program = (
        "import signal, time; signal.signal(15, signal.SIG_IGN)\n"
        "print('deaf', flush=True); time.sleep(600)"
    )
    pid = processes.start([sys.executable, "-c", program], record, log)
    while "deaf" not in processes.tail(log):
        assert processes.started(pid)
    processes.end(record, patience=0.1)
    assert processes.started(pid) is None


def test_a_number_that_was_given_to_another_is_not_ours(tmp_path: Path) -> None:
    """A process with the same number that started at another time is neither seen nor ended."""
    record = tmp_path / "stale.pid"
    record.write_text(f"{os.getpid()} 1\n")
    assert processes.running(record) is None
    processes.end(record)
    assert not record.exists()


def test_the_dead_do_not_run(tmp_path: Path) -> None:
    """A child that has ended but was not waited for counts as ended."""
    child = subprocess.Popen(["sleep", "600"])
    record = tmp_path / "child.pid"
    processes.note(record, child.pid)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.running(record) is None
    child.wait()


def test_its_output_is_for_its_owner_only(tmp_path: Path) -> None:
    """Logs can't be read by others, and their last lines are shown."""
    record, log = tmp_path / "echo.pid", tmp_path / "log"
    pid = processes.start(["echo", "one\ntwo\nthree"], record, log)
    while processes.started(pid):
        pass
    assert log.stat().st_mode & 0o077 == 0
    assert processes.tail(log, 2) == "two\nthree"
    assert processes.tail(tmp_path / "none") == "(no log)"
