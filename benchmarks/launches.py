"""
RunInstances over RabbitMQ with five daemons and fake guests: its answer, and until C{running}.

Singly, a hundred by one request, and a hundred requests of sixteen clients.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection, func, select

from benchmarks.bare_web import bare_web
from benchmarks.ec2_load import run
from benchmarks.figures import Figure, median
from benchmarks.stage import Stage, stage, stall
from nova_tx import states
from nova_tx.db.schema import instances

#: What makes each request another one, as today's clients do.
TOKEN = "ClientToken"


def figures(quick: bool) -> Iterator[Figure]:
    """Milliseconds of one, instances per second of a hundred; all that was asked must run."""
    singly, many = (3, 10) if quick else (30, 100)
    with stage() as cloud:
        asked = {"Action": "RunInstances", "ImageId": cloud.image(), "InstanceType": "m1.tiny"}
        asked.update(MinCount="1", MaxCount="1")
        launch(cloud, asked, 1)  # the image is fetched with the first
        cloud.longest_stalls()
        times = [launch(cloud, asked, 1) for _ in range(singly)]
        answer, running = (median(each) * 1000 for each in zip(*times, strict=True))
        with bare_web(2000) as port:
            bare = run(replace(cloud.load(asked, count=200), port=port))
        beside = [("bare twisted.web", median(bare.latencies) * 1000)]
        yield Figure("RunInstances of 1: answer", answer, "ms", "≤ 20", beside)
        yield Figure("RunInstances of 1: until running", running, "ms", "≤ 100")
        yield stall(cloud.longest_stalls())

        one, all_of_them = launch(
            cloud, {**asked, "MinCount": str(many), "MaxCount": str(many)}, many
        )
        yield Figure(f"RunInstances of {many}: answer", one * 1000, "ms")
        rate = many / all_of_them
        yield Figure(f"RunInstances of {many}: until all run", rate, "instances/s", "≥ 100")
        yield stall(cloud.longest_stalls())

        before = number_running(cloud)
        began = time.monotonic()
        load = replace(cloud.load(asked, clients=16, count=many, seconds=120), token=TOKEN)
        crowd = run(load)
        assert not crowd.failures, "answers other than 200"
        until_running(cloud, before + many)
        rate = many / (time.monotonic() - began)
        what = f"{many} RunInstances of 1 by 16 clients"
        yield Figure(f"{what}: answer", median(crowd.latencies) * 1000, "ms")
        yield Figure(f"{what}: until all run", rate, "instances/s", "≥ 100")
        yield stall(cloud.longest_stalls())


def launch(cloud: Stage, asked: dict[str, str], count: int) -> tuple[float, float]:
    """Seconds until the answer, and until all run."""
    before = number_running(cloud)
    load = replace(cloud.load(asked), token=TOKEN)
    head, _, body = load.request().partition(b"\r\n\r\n")
    lines = (line.decode().split(": ", 1) for line in head.split(b"\r\n")[1:])
    server = http.client.HTTPConnection("127.0.0.1", load.port, timeout=120)
    server.connect()
    began = time.monotonic()
    server.request("POST", load.path, body, dict(lines))
    response = server.getresponse()
    text = response.read()
    answered = time.monotonic() - began
    assert response.status == 200, text
    server.close()
    until_running(cloud, before + count)
    return answered, time.monotonic() - began


def until_running(cloud: Stage, count: int) -> None:
    """Wait until so many instances run, and fail if one can't any more."""
    end = time.monotonic() + 180
    while (there := number_running(cloud)) < count:
        assert time.monotonic() < end, f"{there} of {count} run"
        time.sleep(0.004)


def number_running(cloud: Stage) -> int:
    """How many instances run."""
    return cloud.read(_running)


def _running(txn: Connection) -> int:
    query = select(func.count()).where(instances.c.state_description == states.RUNNING)
    return txn.scalar(query) or 0
