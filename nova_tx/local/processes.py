"""
Processes that outlive the program that started them, known by a file each.

A file holds the process id and when the process started, so that a number
that the kernel gave to someone else since is never taken for ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


def started(pid: int) -> str | None:
    """When a process started, in ticks since the machine did; None if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def start(
    argv: Sequence[str], record: Path, log: Path, environment: Mapping[str, str] | None = None
) -> int:
    """
    Start a program in the background, in a session of its own; returns its process id.

    @param record: the file that will know it.
    @param log: where its output is appended.
    """
    with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=None if environment is None else dict(environment),
            cwd="/",
        )
    # whoever ends it asks /proc, not this object
    child.returncode = 0
    note(record, child.pid)
    return child.pid


def note(record: Path, pid: int) -> None:
    """Write down a process that something else started."""
    record.write_text(f"{pid} {started(pid) or '-'}\n")


def running(record: Path) -> int | None:
    """The process of a file, if it is still there."""
    try:
        pid, ticks = record.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if started(int(pid)) == ticks else None


def end(record: Path, patience: float = 20.0) -> None:
    """
    End the process of a file and remove the file; repeating it does nothing.

    @param patience: seconds from SIGTERM to SIGKILL.
    """
    pid = running(record)
    if pid is not None:
        end_process(pid, patience)
    record.unlink(missing_ok=True)


def end_process(pid: int, patience: float = 20.0) -> None:
    """End one process: asked first, then made to; returns when it is gone."""
    ticks = started(pid)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 60.0)):
        if ticks is None:
            break
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + seconds
        while started(pid) == ticks and time.monotonic() < deadline:
            time.sleep(0.02)
        if started(pid) != ticks:
            break
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # another program's child: not ours to bury


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for a person."""
    try:
        text = log.read_bytes()[-64 * 1024 :].decode("utf-8", "replace")
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(text.splitlines()[-lines:]) or "(empty log)"
