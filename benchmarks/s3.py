"""
S3 PUT and GET of 1 KiB and of 64 MiB, one client and sixteen, beside nginx.

The same requests go to both, over loopback, in turns; both store in one directory of one file
system, and write an access log.  Of several rounds the median counts.  nginx computes no MD5,
looks no user up, and does not wait for the disk: it answers when the kernel has the bytes; so
before each load what it left is written out (sync).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.s3_load import Load, Result, run
from benchmarks.s3_servers import ACCESS, SECRET, Server, nginx, objectstore

KIB, MIB = 2**10, 2**20
_ROUNDS = 3
_METHODS, _CLIENTS = ("PUT", "GET"), (1, 16)


def figures(quick: bool) -> Iterator[Figure]:
    """Each measure, and the longest stall of the event loop under it."""
    small, large = (1.0, 1.0) if quick else (2.0, 3.0)
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-s3-") as name,
        objectstore(Path(name, "nova")) as ours,
        nginx(Path(name, "nginx")) as theirs,
    ):
        for clients in _CLIENTS:
            for method in _METHODS:
                yield from _compare(ours, theirs, method, clients, KIB, small, quick)
        size = 4 * MIB if quick else 64 * MIB
        for clients in _CLIENTS:
            for method in _METHODS:
                yield from _compare(ours, theirs, method, clients, size, large, quick)


def _compare(
    ours: Server, theirs: Server, method: str, clients: int, size: int, seconds: float, quick: bool
) -> Iterator[Figure]:
    rounds: list[tuple[Result, Result]] = []
    synced: list[float] = []
    ours.longest_stall()
    for _ in range(1 if quick else _ROUNDS):
        mine, other = (
            _after_sync(
                Load(
                    port=server.port,
                    method=method,
                    bucket="bucket",
                    clients=clients,
                    seconds=seconds,
                    size=size,
                    access=ACCESS,
                    secret=SECRET,
                    keys=16 if size == KIB else 1,
                    least=16 if size == KIB else 1,
                )
            )
            for server in (ours, theirs)
        )
        rounds.append((mine, other))
        if (method, size) == ("PUT", KIB) and ours.stalls is not None:
            synced.append(bare(ours.stalls.parent / "bare", seconds))
    small = size == KIB
    content = "1 KiB" if small else f"{size // MIB} MiB"
    what = f"{method} of {content}, {clients} client{'s' if clients > 1 else ''}"
    factor, unit = (1.0, "ops/s") if small else (size / MIB, "MiB/s")
    rates = [
        statistics.median(each.rate for each in column) * factor
        for column in zip(*rounds, strict=True)
    ]
    beside = [("nginx", rates[1])]
    if synced:
        beside.append(("bare synced files", statistics.median(synced)))
    yield Figure(what, rates[0], unit, "≥ 1,500" if small else "≥ 95 %", beside)
    middle = [
        statistics.median(each.latencies[len(each.latencies) // 2] for each in column)
        for column in zip(*rounds, strict=True)
    ]
    yield Figure(
        f"{what}: median answer", middle[0] * 1000, "ms", "", [("nginx", middle[1] * 1000)]
    )
    yield Figure(f"{what}: longest stall of the event loop", ours.longest_stall() * 1000, "ms")


def bare(directory: Path, seconds: float) -> float:
    """
    Objects of 1 KiB a second that the disk takes from a loop of four threads.

    Each is written, waited for, named, and its name is waited for, as a PUT is: what bounds it.
    """
    directory.mkdir(exist_ok=True)
    end = time.perf_counter() + seconds

    def loop(number: int) -> int:
        count = 0
        above = os.open(directory, os.O_RDONLY)
        while time.perf_counter() < end:
            path = directory / f"{number}-{count % 16}"
            with open(f"{path}.new", "wb") as file:
                file.write(b"x" * KIB)
                file.flush()
                os.fdatasync(file.fileno())
            os.replace(f"{path}.new", path)
            os.fsync(above)
            count += 1
        os.close(above)
        return count

    with ThreadPoolExecutor(4) as threads:
        return sum(threads.map(loop, range(4))) / seconds


def _after_sync(load: Load) -> Result:
    os.sync()
    return run(load)


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv[1:]):
        print(figure.line(), flush=True)
