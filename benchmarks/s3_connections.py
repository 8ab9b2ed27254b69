"""
A thousand connections to the objectstore, of clients that take slowly, send slowly, or wait: its
memory, and who waits for a kilobyte meanwhile.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.s3_load import Load, finish, objects, run, start
from benchmarks.s3_servers import ACCESS, SECRET, Server, objectstore
from nova_tx.objectstore.bounds import memory
from nova_tx.taps.descriptors import make_room
from nova_tx.testing.s3_heads import signed
from nova_tx.testing.slow_clients import SlowClient, SlowClients

KIB, MIB = 2**10, 2**20
#: Clients that take, that send, and that wait.
_TAKE, _SEND, _WAIT = 400, 400, 200
#: Bytes of what they take or send, and at a time, and seconds between two of these times.
_SIZE, _PACE, _PAUSE = 64 * MIB, 2 * KIB, 0.5
#: They have their turns in so many groups, so that they do not all come at once.
_GROUPS = 10


def figures(quick: bool) -> Iterator[Figure]:
    """The answer to a GET of 1 KiB without them and meanwhile; the growth of memory over idle."""
    part = 10 if quick else 1
    counts = _TAKE // part, _SEND // part, _WAIT // part
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-s3-") as directory,
        objectstore(
            Path(directory, "nova"), "--s3_max_connections=1100", "--s3_max_requests=1100"
        ) as server,
    ):
        for warning in make_room(sum(counts) + 256):
            print(f"  {warning}", flush=True)
        run(_load(server, "PUT", 16, KIB, 0.0))
        run(_load(server, "PUT", 1, _SIZE, 0.0, "large"))
        alone = run(_load(server, "GET", 16, KIB, 1.0 if quick else 5.0)).latencies
        yield from _latencies("GET of 1 KiB alone", alone, "")
        idle = server.memory("VmRSS")
        yield Figure("idle", idle / MIB, "MiB")
        server.longest_stall()
        clients = list(_clients(server, *counts))
        try:
            yield from _measure(server, clients, 2.0 if quick else 20.0, idle)
        finally:
            SlowClients(clients).close()


def _clients(server: Server, take: int, send: int, wait: int) -> Iterator[SlowClient]:
    for _ in range(take):
        head = signed("GET", "/large/0-0", server.access, server.secret, 0)
        yield SlowClient(server.port, head)
    for number in range(send):
        target = f"/large/slow-{number}"
        head = signed("PUT", target, server.access, server.secret, _SIZE)
        yield SlowClient(server.port, head, _SIZE)
    for _ in range(wait):
        yield SlowClient(server.port)


def _measure(
    server: Server, clients: list[SlowClient], seconds: float, idle: int
) -> Iterator[Figure]:
    groups = [SlowClients(clients[first::_GROUPS]) for first in range(_GROUPS)]
    probe = start(_load(server, "GET", 16, KIB, seconds))
    began, number = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        groups[number % _GROUPS].step(_PACE)
        number += 1
        time.sleep(_PAUSE / _GROUPS)
    latencies = finish(probe).latencies
    what = f"{len(clients):,} slow connections"
    grown = (server.memory("VmHWM") - idle) / MIB
    yield Figure(f"{what}: peak over idle", grown, "MiB", f"≤ {memory(len(clients)) / MIB:.0f}")
    moved = sum(each.moved for each in clients) / seconds / KIB
    yield Figure(f"{what}: what they take and send", moved, "KiB/s")
    yield from _latencies("GET of 1 KiB meanwhile", latencies, "≤ 50")
    yield Figure("longest stall of the event loop", server.longest_stall() * 1000, "ms")


def _latencies(what: str, found: list[float], aim: str) -> Iterator[Figure]:
    yield Figure(f"{what}: median of {len(found):,}", percentile(found, 0.5) * 1000, "ms", aim)
    yield Figure(f"{what}: 99% within", percentile(found, 0.99) * 1000, "ms")


def _load(
    server: Server, method: str, keys: int, size: int, seconds: float, bucket: str = "bucket"
) -> Load:
    return Load(server.port, method, objects(bucket, 1, keys), seconds, size, ACCESS, SECRET, keys)


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv[1:]):
        print(figure.line(), flush=True)
