"""Two processes of nova-api behind one port, over a RabbitMQ of their own."""

from __future__ import annotations

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto.ec2.connection import EC2Connection
from boto.ec2.regioninfo import RegionInfo
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.ec2_load import Load
from nova_tx.testing.daemons import Daemons, free_plan, until


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Five daemons, the API of two processes, and one user beside the administrator."""
    directory = tmp_path_factory.mktemp("workers") / "cloud"
    made = Daemons(directory, "--api_workers=2", "--lockout_attempts=6")
    try:
        made.up(free_plan(directory))
        until(lambda: len(processes(made)) == 2, "two processes")
        yield made
    finally:
        made.close()


def facts(pid: int) -> dict[str, str]:
    """What the kernel says of a process; nothing if it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    found = dict(line.split(":\t", 1) for line in text.splitlines())
    return {} if found["State"].startswith("Z") else found


def children(pid: int) -> list[int]:
    """Processes that a process started, and that live."""
    there = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [each for each in there if facts(each).get("PPid") == str(pid)]


def processes(cloud: Daemons) -> set[int]:
    """Processes that answer some of many connections, by the log; two at the most."""
    before = len(cloud.log("nova-api"))
    url = cloud.environment["EC2_URL"].partition("/services")[0]
    seen: set[int] = set()
    for _ in range(400):  # an idle machine may wake the same one many times in a row
        with urllib.request.urlopen(f"{url}/", timeout=30.0) as answer:
            answer.read()
        lines = cloud.log("nova-api")[before:].splitlines()
        seen = {int(line.split()[0]) for line in lines if " GET / - 200 " in line}
        if len(seen) == 2:
            break
    return seen


def client(cloud: Daemons, secret: str | None = None, key: str | None = None) -> Any:
    """A new connection, with another secret or key."""
    known = cloud.environment
    return boto3.session.Session(
        key or known["AWS_ACCESS_KEY_ID"],
        secret or known["AWS_SECRET_ACCESS_KEY"],
        region_name="nova",
    ).client(
        "ec2",
        endpoint_url=known["EC2_URL"],
        config=Config(retries={"total_max_attempts": 1}),
    )


def ask(cloud: Daemons, **who: str) -> str:
    """Ask something on a connection of its own; returns what went wrong, or nothing."""
    asking = client(cloud, **who)
    try:
        asking.describe_instances()
    except ClientError as error:
        return f"{error.response['Error']['Code']} {error.response['Error']['Message']}"
    except BotoCoreError as error:
        return str(error)
    finally:
        asking.close()
    return ""


def test_both_serve(cloud: Daemons) -> None:
    """Connections are taken by both processes, and answered by each; the log says by which."""
    both = processes(cloud)
    assert len(both) == 2
    assert all(ask(cloud) == "" for _ in range(20))


def test_a_killed_one_comes_back(cloud: Daemons) -> None:
    """The other serves on while a process that was killed is started again."""
    pid = cloud.pid("nova-api")
    assert pid is not None
    (mate,) = children(pid)
    os.kill(mate, signal.SIGKILL)
    assert all(ask(cloud) == "" for _ in range(20))
    until(lambda: children(pid) not in ([], [mate]), "another process")
    until(lambda: len(processes(cloud)) == 2, "its service")


def test_lock_out_holds_in_both(cloud: Daemons) -> None:
    """Failures are counted over both processes, and no connection gets by the lock."""
    user = cloud._manage("user", "create", "mallory", "mallory", "right")
    assert "mallory" in user
    cloud._manage("project", "create", "mallory", "mallory")
    assert ask(cloud, key="mallory", secret="right") == ""
    said = [ask(cloud, key="mallory", secret="wrong") for _ in range(6)]
    assert all(each.startswith("SignatureDoesNotMatch") for each in said)
    locked = "AuthFailure Too many failed authentications."
    until(lambda: ask(cloud, key="mallory", secret="right") == locked, "the lock")
    # a process may remember a user for a second
    until(
        lambda: {ask(cloud, key="mallory", secret="right") for _ in range(20)} == {locked}, "both"
    )
    assert ask(cloud) == ""
    cloud._manage("user", "unlock", "mallory")
    until(lambda: {ask(cloud, key="mallory", secret="right") for _ in range(20)} == {""}, "all")


def test_a_signature_is_good_once_in_both(cloud: Daemons) -> None:
    """A request that makes a key pair is refused when it is sent again, by either process."""
    known = cloud.environment
    load = Load(
        cloud.ours.ec2_port,
        known["EC2_ACCESS_KEY"],
        known["EC2_SECRET_KEY"],
        {"Action": "CreateKeyPair", "KeyName": "once"},
    )
    request = load.request()
    assert send(cloud, request).startswith(b"HTTP/1.1 200 ")
    cloud.ec2.delete_key_pair(KeyName="once")
    assert all(send(cloud, request)[9:12] in (b"503", b"403") for _ in range(10))
    assert cloud.ec2.describe_key_pairs()["KeyPairs"] == []


def test_like_requests_of_one_second(cloud: Daemons) -> None:
    """Who asks boto 2.49 for three like instances in a row gets three: told to, it signs anew."""
    image = cloud.publish("workers", "tiny", b"a disk" * 1000)
    until(lambda: cloud.image_state(image) == "available", "the image")
    known = cloud.environment
    ec2 = EC2Connection(
        known["EC2_ACCESS_KEY"],
        known["EC2_SECRET_KEY"],
        is_secure=False,
        host="127.0.0.1",
        port=cloud.ours.ec2_port,
        path="/services/Cloud",
        region=RegionInfo(name="nova", endpoint="127.0.0.1"),
    )
    before = len(cloud.log("nova-api"))
    made = {ec2.run_instances(image, instance_type="m1.tiny").id for _ in range(3)}
    ec2.close()
    assert len(made) == 3
    assert " 503 " in cloud.log("nova-api")[before:]


def send(cloud: Daemons, request: bytes) -> bytes:
    """What is said to a request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", cloud.ours.ec2_port), 30.0) as link:
        link.sendall(request)
        return link.recv(65536)


def test_a_killed_parent_leaves_nothing(cloud: Daemons) -> None:
    """When the first is killed the other ends at once, and the next first has the port."""
    pid = cloud.pid("nova-api")
    assert pid is not None
    mates = children(pid)
    assert mates
    cloud.kill("nova-api")
    until(lambda: not any(facts(each) for each in mates), "their end")
    cloud.start_daemon("nova-api")
    until(lambda: ask(cloud) == "", "the API")
    until(lambda: len(processes(cloud)) == 2, "both")


def test_sigterm_ends_both(cloud: Daemons) -> None:
    """SIGTERM to the first ends all, with status 0."""
    pid = cloud.signal("nova-api", signal.SIGTERM)
    mates = children(pid)
    assert cloud.ended(pid) == 0
    assert not any(facts(each) for each in mates)
