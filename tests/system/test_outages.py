"""
RabbitMQ, PostgreSQL and libvirtd are restarted, killed and paused under launches and terminations.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.states import Power
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.databases import PostgreSQL
from nova_tx.testing.invariants import Scene
from nova_tx.testing.outages import OUTAGES, Broker, Ground, Hypervisor, Rows, endure

BRIDGE = "brout"
ROOM = ("--quota_instances=1000", "--quota_cores=1000")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory with a path short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="out-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[PostgreSQL]:
    """A PostgreSQL of our own."""
    made = PostgreSQL(str(place / "sql"))
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def cloud(place: Path, server: PostgreSQL) -> Iterator[tuple[Daemons, str]]:
    """A cloud of five daemons with fake guests, and an image in it."""
    made = Daemons(place / "cloud", *ROOM)
    made.up(free_plan(made.directory, database=server.url))
    try:
        image_id = made.publish("images", "tiny", b"a root disk")
        until(lambda: made.image_state(image_id) == "available", "the image")
        yield made, image_id
    finally:
        made.close()


@pytest.fixture(scope="module")
def libvirtd(place: Path) -> Iterator[PrivateLibvirtd]:
    """A libvirtd in a network namespace of its own, with a bridge for guests in it."""
    name = f"nova-out-{os.getpid()}"
    within = ("nsenter", f"--net=/run/netns/{name}")
    ip("netns", "add", name)
    try:
        ip("-n", name, "link", "add", BRIDGE, "type", "bridge")
        ip("-n", name, "link", "set", BRIDGE, "up")
        made = PrivateLibvirtd(place / "lv", within)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        ip("netns", "delete", name)


def ip(*words: str) -> None:
    """Change this host's network devices."""
    subprocess.run(["ip", *words], check=True)


@pytest.fixture(scope="module")
def real_cloud(place: Path, libvirtd: PrivateLibvirtd) -> Iterator[tuple[Daemons, str]]:
    """A cloud whose guests are QEMU's, with an image that boots nothing."""
    made = Daemons(
        place / "real",
        *ROOM,
        "--connection_type=libvirt",
        "--libvirt_type=qemu",
        f"--libvirt_uri={libvirtd.uri}",
        f"--flat_network_bridge={BRIDGE}",
    )
    made.up(free_plan(made.directory))
    try:
        image_id = made.publish("images", "empty", bytes(2**20))
        until(lambda: made.image_state(image_id) == "available", "the image")
        yield made, image_id
    finally:
        made.close()


@pytest.mark.parametrize("outage", OUTAGES)
def test_guests_are_built_and_ended_once_libvirtd_is_back(
    outage: Callable[[Ground], None],
    real_cloud: tuple[Daemons, str],
    libvirtd: PrivateLibvirtd,
) -> None:
    """While libvirtd is away launches and terminations are accepted, and done when it is back."""
    daemons, image_id = real_cloud

    def scene() -> Scene:
        return Scene.of(daemons.directory, guests=dict.fromkeys(libvirtd.guests(), Power.RUNNING))

    outcome = endure(daemons, image_id, Hypervisor(libvirtd), outage, scene, 1, 1.0)
    print(outcome)
    assert outcome.seen.launched and outcome.seen.ended
    assert outcome.seen.blind == [] and outcome.seen.refused == []


@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("part", ["broker", "rows"])
def test_nothing_is_lost_nor_done_twice(
    part: str,
    outage: Callable[[Ground], None],
    cloud: tuple[Daemons, str],
    server: PostgreSQL,
) -> None:
    """What was accepted while a part was away is there once, and nothing else is."""
    daemons, image_id = cloud
    which = Broker(daemons.broker) if part == "broker" else Rows(server)
    outcome = endure(daemons, image_id, which, outage, lambda: Scene.of(daemons.directory))
    print(outcome)
    assert outcome.seen.launched and outcome.seen.ended
    if part == "broker":
        assert outcome.seen.blind == []
