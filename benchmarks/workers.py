"""
DescribeInstances with no instance by sixteen clients, of one process of nova-api and of two.

The clients share the cores with the servers: the CPU that a request costs the API's processes
says what is left of the ratio on a machine where they do not.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ec2_load import run
from benchmarks.figures import Figure
from benchmarks.stage import Stage, stage

_ASKED = {"Action": "DescribeInstances"}
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """
    What so many processes did.

    @ivar rate: requests per second.
    @ivar cpu: seconds of CPU of them all, for one request.
    @ivar busy: cores that they had, at most.
    @ivar share: of the work, the part of the one that did most.
    """

    rate: float
    cpu: float
    busy: float
    share: float


def figures(quick: bool) -> Iterator[Figure]:
    """Requests per second and CPU per request of one and two, and how often the one the two is."""
    seconds = 0.5 if quick else 10.0
    found = {number: _measure(number, seconds) for number in (1, 2)}
    for number, served in found.items():
        what = f"DescribeInstances of 0, 16 clients, {number} of nova-api"
        beside = [("one process", found[1].rate)] if number > 1 else []
        aim = "≥ 1.7 times" if number > 1 else ""
        yield Figure(what, served.rate, "requests/s", aim, beside)
        yield Figure("  CPU of the API per request", served.cpu * 1e6, "µs")
        yield Figure("  requests per second of the API's CPU", 1 / served.cpu, "requests")
        yield Figure("  cores that the API had", served.busy, "")
        yield Figure("  part of the process that did most", served.share * 100, "%")


def _measure(number: int, seconds: float) -> Served:
    with stage(settings=(f"--api_workers={number}",), watched=False) as cloud:
        while cloud.log("nova-api").count(" ready\n") < number:
            time.sleep(0.1)
        run(cloud.load(_ASKED, clients=16, count=500))  # warm
        before = _cpu(cloud)
        crowd = run(cloud.load(_ASKED, clients=16, seconds=seconds, count=10**6))
        assert not crowd.failures, "answers other than 200"
        each = [now - then for now, then in zip(_cpu(cloud), before, strict=True)]
        used = sum(each)
        share = max(each) / used
        return Served(crowd.rate, used / len(crowd.latencies), used / crowd.seconds, share)


def processes(cloud: Stage) -> list[int]:
    """The API's processes, the first of them first."""
    first = cloud.pid("nova-api")
    assert first is not None, "nova-api has ended"
    there = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [first, *(each for each in there if _field(each, 3) == str(first))]


def _cpu(cloud: Stage) -> list[float]:
    """Seconds of CPU that each has used so far."""
    each = ((_field(pid, 13), _field(pid, 14)) for pid in processes(cloud))
    return [(int(user) + int(system)) / _TICK for user, system in each]


def _field(pid: int, number: int) -> str:
    """Of a process's C{stat}; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    return text.rpartition(")")[2].split()[number - 2]
