"""
A gigabyte up and down, and eight at once: the objectstore's memory, and who waits for a kilobyte.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.s3_load import Load, finish, objects, run, start
from benchmarks.s3_servers import ACCESS, SECRET, Server, objectstore

KIB, MIB, GIB = 2**10, 2**20, 2**30
_UPLOADS = 8


def figures(quick: bool) -> Iterator[Figure]:
    """The growth of memory over idle, and the answer to a GET of 1 KiB meanwhile."""
    size = 64 * MIB if quick else GIB
    name = f"{size // MIB} MiB"
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-s3-") as directory,
        objectstore(Path(directory, "nova")) as server,
    ):
        run(_load(server, "PUT", 1, KIB, 1.0, keys=16, bucket="bucket"))
        run(_load(server, "GET", 1, KIB, 1.0, keys=16, bucket="bucket"))
        idle = server.memory("VmRSS")
        yield Figure("idle", idle / MIB, "MiB")
        for method in ("PUT", "GET"):
            result = run(_load(server, method, 1, size, 0.0, keys=1, bucket="large"))
            grown = (server.memory("VmHWM") - idle) / MIB
            yield Figure(f"{method} of {name}: peak over idle", grown, "MiB", "≤ 64")
            yield Figure(f"{method} of {name}", result.rate * size / MIB, "MiB/s")
        server.longest_stall()
        uploads = start(_load(server, "PUT", _UPLOADS, size, 0.0, keys=1, bucket="large"))
        latencies: list[float] = []
        while not latencies or uploads.poll() is None:
            probe = _load(server, "GET", 1, KIB, 1.0, keys=16, bucket="bucket")
            latencies += run(probe).latencies
        result = finish(uploads)
        what = f"{_UPLOADS} PUTs of {name} at once"
        yield Figure(what, result.rate * size / MIB, "MiB/s")
        grown = (server.memory("VmHWM") - idle) / MIB
        yield Figure(f"{what}: peak over idle", grown, "MiB", "≤ 64")
        yield Figure(
            f"GET of 1 KiB meanwhile: median of {len(latencies)}",
            percentile(latencies, 0.5) * 1000,
            "ms",
            "≤ 50",
        )
        for part in (0.95, 1.0):
            name = "longest" if part == 1 else f"{part:.0%} within"
            yield Figure(
                f"GET of 1 KiB meanwhile: {name}", percentile(latencies, part) * 1000, "ms"
            )
        yield Figure("longest stall of the event loop", server.longest_stall() * 1000, "ms")


def _load(
    server: Server, method: str, clients: int, size: int, seconds: float, keys: int, bucket: str
) -> Load:
    targets = objects(bucket, clients, keys)
    return Load(server.port, method, targets, seconds, size, ACCESS, SECRET, keys)


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv[1:]):
        print(figure.line(), flush=True)
