"""
RabbitMQ, PostgreSQL and libvirtd are restarted, killed and paused under launches and terminations.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import fromstring

import pytest

from nova_tx.auth.signatures import v2_signature
from nova_tx.local.libvirtd import PrivateLibvirtd
from nova_tx.states import Power
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.databases import PostgreSQL
from nova_tx.testing.invariants import Scene
from nova_tx.testing.outages import (
    Broker,
    Hypervisor,
    Outage,
    Pace,
    Rows,
    endure,
    kill,
    pause,
    paused,
    restart,
)

BRIDGE = "brout"
#: What happens to a part, and for how many seconds.
OUTAGES = [(restart, 2.5), (kill, 2.5), (pause, 20.0)]
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


@pytest.mark.parametrize(("outage", "away"), OUTAGES)
def test_guests_are_built_and_ended_once_libvirtd_is_back(
    outage: Outage,
    away: float,
    real_cloud: tuple[Daemons, str],
    libvirtd: PrivateLibvirtd,
) -> None:
    """While libvirtd is away launches and terminations are accepted, and done when it is back."""
    daemons, image_id = real_cloud

    # a real guest takes a second or two to start, and as long to end
    gentle = Pace(clients=1, breath=max(1.0, away / 7))

    def scene() -> Scene:
        return Scene.of(daemons.directory, guests=dict.fromkeys(libvirtd.guests(), Power.RUNNING))

    outcome = endure(daemons, image_id, Hypervisor(libvirtd), outage, away, scene, gentle)
    print(outcome)
    assert outcome.seen.blind == [] and outcome.seen.refused == []


@pytest.mark.parametrize(("outage", "away"), OUTAGES)
@pytest.mark.parametrize("part", ["broker", "rows"])
def test_nothing_is_lost_nor_done_twice(
    part: str,
    outage: Outage,
    away: float,
    cloud: tuple[Daemons, str],
    server: PostgreSQL,
) -> None:
    """What was accepted while a part was away is there once, and nothing else is."""
    daemons, image_id = cloud
    which = Broker(daemons.broker) if part == "broker" else Rows(server)
    outcome = endure(daemons, image_id, which, outage, away, lambda: Scene.of(daemons.directory))
    print(outcome)
    if part == "broker":
        assert outcome.seen.blind == []


def test_a_flood_is_refused_while_the_database_is_paused_and_over_when_it_is_back(
    cloud: tuple[Daemons, str], server: PostgreSQL
) -> None:
    """Requests beyond a project's share get RequestLimitExceeded at once, those Unavailable."""
    daemons, _ = cloud
    before = resident(daemons.pid("nova-api"))
    with paused(Rows(server)):
        codes = Counter(flood(daemons, 400))
    assert set(codes) == {"RequestLimitExceeded", "Unavailable"}
    assert codes["Unavailable"] >= 128 and codes.total() == 400
    assert resident(daemons.pid("nova-api")) - before < 32 * 2**20
    daemons.ec2.describe_instances()


def flood(daemons: Daemons, count: int) -> Iterator[str | None]:
    """Ask DescribeInstances on so many connections at once; the codes of the refusals."""
    url = urlsplit(daemons.environment["EC2_URL"])
    given = {
        "AWSAccessKeyId": daemons.environment["EC2_ACCESS_KEY"],
        "Action": "DescribeInstances",
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        "Version": "2016-11-15",
    }
    secret = daemons.environment["EC2_SECRET_KEY"]
    given["Signature"] = v2_signature(secret, "HmacSHA256", "GET", url.netloc, url.path, given)
    line = f"GET {url.path}?{urlencode(given)} HTTP/1.1\r\nHost: {url.netloc}\r\n"
    with ExitStack() as open_ones:
        links = []
        for _ in range(count):
            link = open_ones.enter_context(
                socket.create_connection((url.hostname, url.port), timeout=120.0)
            )
            link.sendall(f"{line}Connection: close\r\n\r\n".encode())
            links.append(link)
        for link in links:
            answer = b"".join(iter(lambda link=link: link.recv(65536), b""))
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 "), head
            yield fromstring(body).findtext(".//Code")


def resident(pid: int | None) -> int:
    """Bytes of memory that a process takes."""
    text = Path(f"/proc/{pid}/status").read_text()
    (line,) = (each for each in text.splitlines() if each.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
