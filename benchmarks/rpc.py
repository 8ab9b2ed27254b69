"""
RPC calls per second over RabbitMQ, beside bare echoes of txamqp and of pika.

Caller and service are processes of their own; the three peers take turns.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.rpc_peers import Work
from nova_tx.testing.ports import free_port
from nova_tx.testing.rabbitmq import RabbitMQ

PEERS = ("nova_tx", "txamqp", "pika")
_AIMS = {1: "≥ 2,000", 64: "≥ 5,000"}


def figures(quick: bool) -> Iterator[Figure]:
    """Calls per second, 1 and 64 in flight: the median of rounds."""
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory(prefix="nova-rpc-") as directory:
        broker = RabbitMQ(Path(directory), free_port())
        broker.start()
        try:
            for in_flight, aim in _AIMS.items():
                count = 50 * in_flight if quick else 2000 if in_flight == 1 else 10000
                rates = defaultdict(list)
                for _ in range(rounds):
                    for peer in PEERS:
                        rates[peer].append(rate(broker, peer, count, in_flight))
                ours, *others = ((peer, median(rates[peer])) for peer in PEERS)
                what = f"RPC over RabbitMQ, {in_flight} in flight"
                yield Figure(what, ours[1], "calls/s", aim, others)
        finally:
            broker.stop()


def rate(broker: RabbitMQ, peer: str, count: int, in_flight: int) -> float:
    """Calls per second of one peer."""
    echo_of = Work(peer, "echo", broker.port, broker.password)
    work = Work(peer, "call", broker.port, broker.password, count, in_flight)
    with subprocess.Popen(
        echo_of.argv(), stdout=subprocess.PIPE, env=echo_of.environment()
    ) as echo:
        assert echo.stdout is not None
        try:
            assert echo.stdout.readline() == b"ready\n", f"the echo of {peer} did not start"
            done = subprocess.run(
                work.argv(), stdout=subprocess.PIPE, check=True, env=work.environment()
            )
        finally:
            echo.kill()
    return count / float(done.stdout.split()[-1])
