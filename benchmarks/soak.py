"""
C{benchmarks/soak [--minutes 30] [--virt fake|qemu] [--db postgresql|URL] [--no-kill] [--seed N]}.

A cloud of five daemons over a RabbitMQ of its own, under a random load, with
deaths; status 1 unless all is well at the end.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from nova_tx.local import guest_image
from nova_tx.local.publish import publish_tarball
from nova_tx.local.terminal import end_cleanly
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.databases import MariaDB, PostgreSQL
from nova_tx.testing.soak import SETTINGS, Soak

_SERVERS = {"postgresql": PostgreSQL, "mariadb": MariaDB}


def main() -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="under load; default: 30")
    parser.add_argument("--virt", choices=("fake", "qemu"), default="fake", help="default: fake")
    parser.add_argument(
        "--db",
        default="",
        metavar="URL",
        help=f"of an empty database; {' or '.join(_SERVERS)}: one of its own; default: SQLite",
    )
    parser.add_argument("--kill", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--keep", action="store_true", help="the directory, with its logs")
    chosen = parser.parse_args()
    if chosen.virt == "qemu" and "SOAK_NETWORK" not in os.environ:
        _in_a_network_of_its_own()
    end_cleanly()
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    directory.chmod(0o711)  # servers run as users of their own
    server = _SERVERS[chosen.db](str(directory / "sql")) if chosen.db in _SERVERS else None
    cloud = Daemons(directory / "cloud", *SETTINGS)
    print(f"seed {chosen.seed}, {chosen.minutes:g} min, in {directory}", flush=True)
    well = False
    try:
        if server is not None:
            server.start()
        url = chosen.db if server is None else server.url
        plan = free_plan(cloud.directory, database=url)
        cloud.up(replace(plan, virt=chosen.virt))
        image_id = _image(cloud, chosen.virt)
        most = 8 if chosen.virt == "fake" else 2
        soak = Soak(cloud, image_id, chosen.minutes * 60, chosen.seed, chosen.kill, most, _say)
        well = soak.run()
    finally:
        cloud.close()
        if server is not None:
            server.stop()
        if well and not chosen.keep:
            shutil.rmtree(directory)
    return 0 if well else 1


def _say(line: str) -> None:
    print(line, flush=True)


def _image(cloud: Daemons, virt: str) -> str:
    """What is booted."""
    if virt == "fake":
        image_id = cloud.publish("images", "tiny", b"a root disk" * 10_000)
    else:
        tarball = guest_image.build(say=_say)
        image_id = publish_tarball(tarball, "images", "x86_64", cloud.environment, _say).image
    until(lambda: cloud.image_state(image_id) == "available", "the image")
    return image_id


def _in_a_network_of_its_own() -> None:
    """Start again where bridges and rules of real guests meet nobody else's."""
    guest_image.build(say=_say)  # which fetches packages, and is kept
    again = f'ip link set lo up && exec "{sys.executable}" -m benchmarks.soak "$@"'
    os.environ["SOAK_NETWORK"] = "own"
    os.execvp("unshare", ["unshare", "--net", "sh", "-c", again, "soak", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
