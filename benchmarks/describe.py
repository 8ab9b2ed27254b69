"""
DescribeInstances with 0, 100 and 1,000 instances, one client and sixteen, beside bare twisted.web.

The instances are rows on a host that is not there, so that no worker looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import Connection, insert, select

from benchmarks.bare_web import bare_web
from benchmarks.ec2_load import Result, run
from benchmarks.figures import Figure, median
from benchmarks.stage import Stage, stage
from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import instances, reservations
from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, networks
from nova_tx.flags import QuotaFlags
from nova_tx.model.instances import InstanceRequest

_AIMS = {0: "≤ 3", 100: "≤ 8", 1000: "≤ 50"}
_ASKED = {"Action": "DescribeInstances"}


def figures(quick: bool) -> Iterator[Figure]:
    """Milliseconds of one client, requests per second of sixteen, for each number of instances."""
    seconds = 0.5 if quick else 5.0
    with stage() as cloud:
        there = 0
        for number, aim in _AIMS.items():
            fill(cloud, number - there)
            there = number
            run(cloud.load(_ASKED, count=20))  # warm
            cloud.longest_stalls()
            alone = run(cloud.load(_ASKED, seconds=seconds, count=10**6))
            crowd = run(cloud.load(_ASKED, clients=16, seconds=seconds, count=10**6))
            stalled = cloud.longest_stalls()["nova-api"]
            assert not alone.failures + crowd.failures, "answers other than 200"
            with bare_web(alone.size) as port:
                bare = replace(cloud.load(_ASKED, seconds=seconds / 2, count=10**6), port=port)
                plain, plain_crowd = run(bare), run(replace(bare, clients=16))
            what = f"DescribeInstances of {number:,}"
            beside = [("bare twisted.web", _ms(plain))]
            yield Figure(f"{what}, 1 client, median", _ms(alone), "ms", aim, beside)
            beside = [("bare twisted.web", plain_crowd.rate)]
            aim = "≥ 1,000" if number == 0 else ""
            yield Figure(f"{what}, 16 clients", crowd.rate, "requests/s", aim, beside)
            yield Figure(f"{what}, 16 clients, median", _ms(crowd), "ms")
            yield Figure("  nova-api's longest stall meanwhile", stalled * 1000, "ms")


def fill(cloud: Stage, count: int) -> None:
    """Make so many instances, in reservations of ten, each running and with an address."""
    with cloud.engine.begin() as txn:
        for begun in range(0, count, 10):
            _reservation(txn, min(10, count - begun))


def _reservation(txn: Connection, count: int) -> None:
    context = RequestContext(user="admin", project="admin")
    request = InstanceRequest(
        image_id="ami-bench",
        kernel_id=None,
        ramdisk_id=None,
        instance_type="m1.tiny",
        min_count=count,
        max_count=count,
        key_name=None,
        security_groups=(),
        user_data=None,
        availability_zone=None,
        display_name=None,
        display_description=None,
    )
    network = txn.scalar(select(networks.c.id).limit(1))
    room = QuotaFlags(quota_instances=10**6, quota_cores=10**6)
    for each in reservations.reserve(txn, context, request, room, now()):
        number = each.instance.id
        instances.move(txn, number, states.PLACE, host="elsewhere", scheduled_at=now())
        instances.move(txn, number, states.BUILD)
        instances.move(txn, number, states.RUN, launched_at=now())
        txn.execute(
            insert(fixed_ips).values(
                address=f"10.99.{number // 250}.{number % 250 + 1}",
                network_id=network,
                instance_id=number,
                allocated=True,
                leased=False,
                reserved=False,
                deleted=False,
                created_at=now(),
            )
        )


def _ms(result: Result) -> float:
    return median(result.latencies) * 1000
