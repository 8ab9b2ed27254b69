"""
S3 beside others that store objects: PUT and GET of 1 KiB and of 64 MiB with one client and
sixteen, pages of 10,000 keys, a gigabyte in parts.

The same requests go to all, over loopback, by turns, so that what else the machine does slows
all of them; all store below one directory and write an access log.  Of several turns the median
counts.  Ours is there twice, with one process and with two.  nginx computes no MD5, looks no user
up, and knows no pages or parts; moto checks no signature; none of them waits for the disk, but
answers when the kernel has the bytes; so before each load what others left is written out (sync).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import s3_peers
from benchmarks.figures import Figure
from benchmarks.s3_load import Load, Result, objects, run
from benchmarks.s3_parts import upload
from benchmarks.s3_servers import Server, objectstore

KIB, MIB = 2**10, 2**20
_METHODS, _CLIENTS = ("PUT", "GET"), (1, 16)
_PAGE = 1000
#: Peers by name; nginx knows no more of S3 than PUT and GET.
_PEERS = {"nginx": s3_peers.nginx, "moto": s3_peers.moto, "s3rver": s3_peers.s3rver}
#: Figures of each server, one for each turn.
Turns = dict[str, list[float]]


class _Stand:
    """
    All servers, and how long they are asked.

    @ivar plain: those that are asked for what nginx has, too; C{whole} have all of S3.
    """

    def __init__(self, quick: bool, plain: Sequence[Server]) -> None:
        self.quick = quick
        self.plain = plain
        self.whole = [each for each in plain if each.name != "nginx"]
        self.turns = 1 if quick else 3

    def by_turns(self, servers: Sequence[Server], measure: Callable[[Server], float]) -> Turns:
        """What is measured of each, after the disk has what was written before."""
        found: Turns = {each.name: [] for each in servers}
        for _ in range(self.turns):
            for each in servers:
                os.sync()
                found[each.name].append(measure(each))
        return found


def figures(quick: bool, without: Collection[str] = ()) -> Iterator[Figure]:
    """
    Each measure, of one process and of two, and how often each peer's it is.

    @param without: peers that are left out.
    """
    unknown = set(without) - _PEERS.keys()
    if unknown:
        raise SystemExit(
            f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(_PEERS)}"
        )
    with tempfile.TemporaryDirectory(prefix="benchmark-s3-") as name, ExitStack() as running:
        above = Path(name)
        servers = [running.enter_context(objectstore(above / "nova"))]
        two = running.enter_context(objectstore(above / "two", "--objectstore_workers=2"))
        servers.append(replace(two, name="2 workers"))
        for peer, serve in _PEERS.items():
            if peer not in without:
                servers.append(running.enter_context(serve(above / peer)))
        yield from _all(_Stand(quick, servers), above / "bare")


def _all(stand: _Stand, bare: Path) -> Iterator[Figure]:
    large = 4 * MIB if stand.quick else 64 * MIB
    for size in (KIB, large):
        for clients in _CLIENTS:
            for method in _METHODS:
                yield from _objects(stand, method, clients, size, bare)
    yield from _pages(stand, 1600 if stand.quick else 10_000)
    yield from _parts(stand, 3 if stand.quick else 64)


def _objects(stand: _Stand, method: str, clients: int, size: int, bare: Path) -> Iterator[Figure]:
    small = size == KIB
    what = f"{method} of {'1 KiB' if small else f'{size // MIB} MiB'}, "
    what += f"{clients} client{'s' if clients > 1 else ''}"
    seconds = (0.5 if stand.quick else 1.0) if small else 1.5
    factor, unit = (1.0, "ops/s") if small else (size / MIB, "MiB/s")
    middle: Turns = {each.name: [] for each in stand.plain}
    targets = objects("bucket" if small else "large", clients, 16 if small else 1)

    def measure(server: Server) -> float:
        result = _load(server, method, targets, seconds, size, 16 if small else 1)
        middle[server.name].append(result.latencies[len(result.latencies) // 2] * 1000)
        return result.rate * factor

    stand.plain[0].longest_stall()
    rates = stand.by_turns(stand.plain, measure)
    synced = {}
    if small and method == "PUT":
        synced = {"bare synced files": [_bare(bare, seconds) for _ in range(stand.turns)]}
    yield from _beside(what, rates | synced, unit, "≥ 1,500" if small else "≥ 95 %")
    yield next(_beside(f"{what}: median answer", middle, "ms"))
    stall = stand.plain[0].longest_stall() * 1000
    yield Figure(f"{what}: longest stall of the event loop", stall, "ms")


def _pages(stand: _Stand, count: int) -> Iterator[Figure]:
    """Of as many keys, each page by the key it begins after, one client."""
    there = objects("many", 16, count // 16)
    keys = sorted(each.rpartition("/")[2] for own in there for each in own)
    markers = ["", *keys[_PAGE - 1 : -1 : _PAGE]]
    targets = [[f"/many?max-keys={_PAGE}&marker={each}" for each in markers]]
    for each in stand.whole:
        _load(each, "PUT", there, 0.0, 10, len(there[0]))

    def measure(server: Server) -> float:
        result = _load(server, "GET", targets, 0.5 if stand.quick else 1.0, None, len(markers))
        return len(keys) / len(markers) * result.rate

    yield from _beside(
        f"list of {len(keys):,} keys", stand.by_turns(stand.whole, measure), "keys/s"
    )


def _parts(stand: _Stand, count: int) -> Iterator[Figure]:
    size = 16 * MIB
    rates = stand.by_turns(stand.whole, lambda server: upload(server, count, size) / MIB)
    yield from _beside(f"{count * 16} MiB in parts of 16 MiB, 4 clients", rates, "MiB/s")


def _beside(what: str, turns: Turns, unit: str, aim: str = "") -> Iterator[Figure]:
    """The medians of ours, each beside the peers'."""
    (_, one), (several, two), *peers = [
        (name, statistics.median(values)) for name, values in turns.items()
    ]
    yield Figure(what, one, unit, aim, [(several, two), *peers])
    yield Figure(f"{what}, {several}", two, unit, aim, peers)


def _load(
    server: Server,
    method: str,
    targets: list[list[str]],
    seconds: float,
    size: int | None,
    least: int,
) -> Result:
    return run(
        Load(server.port, method, targets, seconds, size, server.access, server.secret, least)
    )


def _bare(directory: Path, seconds: float) -> float:
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


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv[1:]):
        print(figure.line(), flush=True)
