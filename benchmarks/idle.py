"""
What five daemons cost that have nothing to do, and how soon each serves; beside a bare twistd.

Each is ended and started again alone; it serves when its log says that it is ready.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.stage import Stage, stage
from nova_tx.local import processes

_MIB = 2**20
_TICKS = os.sysconf("SC_CLK_TCK")


def figures(quick: bool) -> Iterator[Figure]:
    """Seconds to serve, percent of a core, MiB: the worst daemon of each."""
    seconds = 2.0 if quick else 60.0
    with stage(watched=False) as cloud, bare() as (pid, bare_start):
        starts = {name: start_again(cloud, name) for name in cloud.names}
        time.sleep(1.0)
        pids = {name: cloud.pid(name) or 0 for name in cloud.names}
        before = {name: cpu(each) for name, each in pids.items()}
        time.sleep(seconds)
        used = {name: 100 * (cpu(pids[name]) - before[name]) / seconds for name in pids}
        sizes = {name: resident(each) / _MIB for name, each in pids.items()}
        yield worst("start-up to serving", starts, "s", "≤ 1", bare_start)
        yield worst("idle: CPU", used, "% of a core", "≤ 0.1")
        yield worst("idle: RSS", sizes, "MiB", "≤ 60", resident(pid) / _MIB)
        parts = {name: share(each) / _MIB for name, each in pids.items()}
        yield worst("idle: its share (PSS)", parts, "MiB", "", share(pid) / _MIB)


def worst(what: str, values: dict[str, float], unit: str, aim: str, plain: float = 0.0) -> Figure:
    """The daemon that is furthest from the aim."""
    name = max(values, key=lambda each: values[each])
    beside = [("bare twistd web", plain)] if plain else []
    return Figure(f"{what}, at most ({name})", values[name], unit, aim, beside)


def start_again(cloud: Stage, name: str) -> float:
    """End a daemon and start it; seconds until it is ready."""
    pid = cloud.pid(name)
    assert pid is not None
    processes.end_process(pid)
    there = cloud.log(name).count("] ready")
    began = time.monotonic()
    cloud.start_daemon(name)
    _wait(lambda: cloud.log(name).count("] ready") > there, name)
    return time.monotonic() - began


@contextlib.contextmanager
def bare() -> Iterator[tuple[int, float]]:
    """C{twistd web}: its process, and the seconds until it answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [sys.executable, "-m", "twisted", "web", f"--listen=tcp:{port}:interface=127.0.0.1"]
    began = time.monotonic()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, stdout=quiet, stderr=quiet) as process:
        try:
            _wait(lambda: _listens(port), "twistd web")
            yield process.pid, time.monotonic() - began
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait(there: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 120
    while not there():
        assert time.monotonic() < end, f"{what} does not serve"
        time.sleep(0.01)


def cpu(pid: int) -> float:
    """Seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def share(pid: int) -> float:
    """Bytes of a process in memory; what several have in common is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024


def resident(pid: int) -> float:
    """Bytes of a process in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
