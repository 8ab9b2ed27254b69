"""The benchmarks, run so briefly that their figures say nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("subject", "measured"),
    [
        (
            "rpc",
            ["RPC over RabbitMQ, 1 in flight", "64 in flight", "times txamqp", "times pika"],
        ),
        (
            "describe",
            [
                "of 0, 1 client",
                "of 100, 16 clients",
                "of 1,000",
                "times bare twisted.web",
            ],
        ),
        ("workers", ["1 of nova-api", "2 of nova-api", "times one process", "CPU of the API"]),
        (
            "launches",
            ["RunInstances of 1: answer", "until running", "until all run", "longest stall"],
        ),
        (
            "moto",
            ["of 1, 1 client", "of 1,000", "CreateTags of 1", "RunInstances of 1", "times moto"],
        ),
        (
            "s3",
            [
                "PUT of 1 KiB, 1 client",
                "GET of 4 MiB, 16 clients, 2 workers",
                "list of 1,600 keys",
                "48 MiB in parts",
                "times nginx",
                "times moto",
                "stall",
            ],
        ),
        ("s3_memory", ["peak over idle", "8 PUTs of 64 MiB at once", "GET of 1 KiB meanwhile"]),
        (
            "s3_connections",
            ["100 slow connections: peak over idle", "GET of 1 KiB meanwhile: median"],
        ),
        ("manage", ["network create of 10", "user list", "fixed list --json", "times python3"]),
        ("idle", ["start-up to serving", "idle: CPU", "idle: RSS", "times bare twistd web"]),
    ],
)
def test_quick(subject: str, measured: list[str]) -> None:
    """Each subject starts what it needs, measures it beside its baseline, and ends it."""
    done = subprocess.run(
        # npm's registry is not asked for tests
        [CHECKOUT / "benchmarks" / "run", "--quick", "--without", "s3rver", subject],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout
    assert [what for what in measured if what not in done.stdout] == [], done.stdout
