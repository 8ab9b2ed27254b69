"""
EC2 beside moto_server, the same API over objects in memory: same client, same data, one run.

Ours is the whole cloud: RabbitMQ, five daemons, rows.  moto checks no signature.  Its server ends
each connection; the time to make the next is not counted.  They are asked by turns, so that what
else the machine does slows both; what a launch leaves to be done is done before moto's turn.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import boto3  # type: ignore[import-untyped]
from sqlalchemy import func, select

from benchmarks.describe import fill
from benchmarks.ec2_load import Load, run
from benchmarks.figures import Figure, median
from benchmarks.stage import Stage, stage
from nova_tx import states
from nova_tx.api.ec2.action import actions
from nova_tx.db.schema import instances
from nova_tx.operations import Operations
from nova_tx.testing.ports import free_port

_NUMBERS = (1, 100, 1000)
#: How often each has its turn.
_TURNS = 5


def figures(quick: bool) -> Iterator[Figure]:
    """Milliseconds of each action, and how often moto's they are: ahead is below 1."""
    seconds = 0.5 if quick else 5.0
    with stage(watched=False) as cloud, moto() as (port, peer):
        image = cloud.image()
        theirs = peer.describe_images()["Images"][0]["ImageId"]
        there = 0
        for number in _NUMBERS:
            fill(cloud, number - there)
            _fill(peer, theirs, number - there)
            there = number
            asked = cloud.load({"Action": "DescribeInstances"}, count=10**6, seconds=seconds)
            yield _beside(cloud, f"DescribeInstances of {number:,}", asked, port, {})

        tagged = cloud.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
        yield from _changes(cloud, port, peer, (image, theirs), tagged, 5 if quick else 100)


def _changes(
    cloud: Stage, port: int, peer: Any, images: tuple[str, str], tagged: str, count: int
) -> Iterator[Figure]:
    if "CreateTags" in actions(cast(Operations, None)):
        tag = {"Action": "CreateTags", "ResourceId.1": tagged, "Tag.1.Key": "role"}
        asked = cloud.load(tag, count=count, token="Tag.1.Value")
        [first, *_] = peer.describe_instances()["Reservations"][0]["Instances"]
        changes = {"ResourceId.1": first["InstanceId"]}
        yield _beside(cloud, "CreateTags of 1", asked, port, changes)
    launch = {"Action": "RunInstances", "ImageId": images[0], "MinCount": "1", "MaxCount": "1"}
    asked = cloud.load({**launch, "InstanceType": "m1.small"}, count=count, token="ClientToken")
    yield _beside(cloud, "RunInstances of 1", asked, port, {"ImageId": images[1]})


def _beside(cloud: Stage, what: str, ours: Load, port: int, changes: Mapping[str, str]) -> Figure:
    """The same load on both, by turns."""
    parameters = {**ours.parameters, **changes}
    theirs = replace(ours, port=port, path="/", region="us-east-1", parameters=parameters)
    latencies: tuple[list[float], list[float]] = ([], [])
    for turn in range(_TURNS):
        for load, found in zip((ours, theirs), latencies, strict=True):
            if turn == 0:
                run(replace(load, count=3))  # warm
            part = replace(load, count=-(-load.count // _TURNS), seconds=load.seconds / _TURNS)
            result = run(part)
            assert result.latencies and not result.failures, f"answers other than 200 to {what}"
            found += result.latencies
            _until_settled(cloud)
    one, other = (median(each) * 1000 for each in latencies)
    return Figure(f"{what}, 1 client, median", one, "ms", "< 1 times", [("moto", other)])


def _until_settled(cloud: Stage) -> None:
    """Wait until all that was launched runs."""
    begun = instances.c.state_description.in_((states.SCHEDULING, states.NETWORKING))
    end = time.monotonic() + 60
    while cloud.read(lambda txn: txn.scalar(select(func.count()).where(begun))):
        assert time.monotonic() < end, "not all that was launched runs"
        time.sleep(0.01)


def _fill(peer: Any, image: str, count: int) -> None:
    """As many instances, in reservations of ten as ours are."""
    while count > 0:
        some = min(count, 10)
        peer.run_instances(ImageId=image, MinCount=some, MaxCount=some, InstanceType="m1.small")
        count -= some


@contextlib.contextmanager
def moto() -> Iterator[tuple[int, Any]]:
    """A moto_server: its port, and boto3's client of it."""
    port = free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with tempfile.TemporaryFile() as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            session = boto3.session.Session("any", "any", region_name="us-east-1")
            client = session.client("ec2", endpoint_url=f"http://127.0.0.1:{port}")
            end = time.monotonic() + 60
            while True:
                try:
                    client.describe_regions()
                    break
                except Exception:
                    assert time.monotonic() < end and process.poll() is None, "no moto_server"
                    time.sleep(0.1)
            yield port, client
        finally:
            process.kill()
