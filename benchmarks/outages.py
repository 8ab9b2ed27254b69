"""
C{benchmarks/outages}: RabbitMQ and PostgreSQL are stopped, killed and paused under load.

A line for each: how long it was away, how soon all was as clients had been told.  The cloud's
intervals are those it is shipped with; nothing of it is looked for sooner than by any other.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.databases import PostgreSQL
from nova_tx.testing.invariants import Scene
from nova_tx.testing.outages import Broker, Rows, endure, kill, pause, restart

_SHIPPED = ("--periodic_interval=60", "--report_interval=10")
_ROOM = ("--quota_instances=1000", "--quota_cores=1000")


def main() -> int:
    """Run them; a failure is an AssertionError that says what was lost."""
    parser = argparse.ArgumentParser(prog="outages", description=__doc__)
    parser.add_argument("--away", type=float, default=30.0, help="seconds between end and start")
    parser.add_argument("--pause", type=float, default=20.0, help="seconds of silence")
    chosen = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="out-"))
    place.chmod(0o711)
    server = PostgreSQL(str(place / "sql"))
    cloud = Daemons(place / "cloud", *_SHIPPED, *_ROOM)
    server.start()
    try:
        cloud.up(free_plan(cloud.directory, database=server.url))
        image_id = cloud.publish("images", "tiny", b"a root disk")
        until(lambda: cloud.image_state(image_id) == "available", "the image")

        def scene() -> Scene:
            return Scene.of(cloud.directory)

        for part in (Broker(cloud.broker), Rows(server)):
            for outage, away in (
                (restart, chosen.away),
                (kill, chosen.away),
                (pause, chosen.pause),
            ):
                print(endure(cloud, image_id, part, outage, away, scene), flush=True)
    finally:
        cloud.close()
        server.stop()
        shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
