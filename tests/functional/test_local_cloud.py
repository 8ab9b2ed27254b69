"""
Clouds on this machine, with fake guests: up, status, publish, down, and what a crash leaves.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_tx.local import processes
from nova_tx.local.clients import connect, read_novarc
from nova_tx.local.cloud import Cloud
from nova_tx.local.plan import Plan
from nova_tx.local.terminal import LocalError


def quiet(_text: str) -> None:
    """Say nothing."""


def eventually(there: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + 120.0
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_base() -> int:
    """A port base whose ports nobody has."""
    for base in range(20_000, 50_000, 7):
        plan = Plan("/x", "rabbitmq", "fake", "", base, "10.100.0.0/24")
        try:
            for port in plan.ports.values():
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no free ports")


def planned(directory: Path, bus: str = "memory") -> Plan:
    """A cloud with fake guests."""
    return Plan(str(directory), bus, "fake", "", free_base(), "10.100.0.0/24")


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud in one process that is up, and is ended."""
    made = Cloud(tmp_path / "cloud", quiet)
    made.up(planned(made.directory))
    try:
        yield made
    finally:
        made.down()


def test_it_answers_when_up_returns(cloud: Cloud) -> None:
    """Once up has returned, clients with the novarc are served by both doors."""
    ec2, s3 = connect(read_novarc(cloud.novarc))
    assert [zone.name for zone in ec2.get_all_zones()] == ["nova"]
    assert s3.get_all_buckets() == []


def test_secrets_are_for_their_owner_only(cloud: Cloud) -> None:
    """Flag file, novarc and keys can be read by nobody else."""
    for name in ("nova.conf", "novarc", "pk.pem", "nova.sqlite"):
        assert (cloud.directory / name).stat().st_mode & 0o077 == 0, name


def test_status_shows_what_a_crash_took_and_down_works_after_it(cloud: Cloud) -> None:
    """A daemon that was killed is shown as gone; down ends the rest, and may be repeated."""
    assert cloud.runs()
    [line] = cloud.status()
    found = re.fullmatch(r"nova-all +running, pid (\d+)", line)
    assert found
    os.kill(int(found[1]), signal.SIGKILL)
    eventually(lambda: not cloud.runs())
    assert cloud.status() == ["nova-all           not running"]
    cloud.down()
    cloud.down()


def test_what_was_there_is_there_after_down_and_up(cloud: Cloud) -> None:
    """A cloud that is ended and started again has its users, keys and buckets."""
    ec2, s3 = connect(read_novarc(cloud.novarc))
    s3.create_bucket("kept")
    plan = cloud.plan
    assert plan is not None
    cloud.down()
    cloud.up(plan)
    ec2, s3 = connect(read_novarc(cloud.novarc))
    assert [bucket.name for bucket in s3.get_all_buckets()] == ["kept"]
    assert ec2.get_all_zones()


def test_a_second_one_in_the_same_place_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    """Neither the directory nor the ports of a cloud that runs can be taken by another."""
    plan = cloud.plan
    assert plan is not None
    with pytest.raises(LocalError, match="already"):
        cloud.up(plan)
    with pytest.raises(LocalError, match="is taken"):
        Cloud(tmp_path / "other", quiet).up(plan)
    assert cloud.runs()
    assert not (tmp_path / "other").exists()


def test_five_daemons_over_rabbitmq(tmp_path: Path) -> None:
    """With bus rabbitmq each service is its own process, and down ends them all."""
    cloud = Cloud(tmp_path / "cloud", quiet)
    try:
        cloud.up(planned(cloud.directory, "rabbitmq"))
        names = [line.split()[0] for line in cloud.status()]
        pids = {line.split()[-1] for line in cloud.status()}
        workers = {"nova-compute", "nova-network", "nova-scheduler"}
        assert set(names) == {"rabbitmq", "nova-api", "nova-objectstore", *workers}
        assert len(pids) == 6
    finally:
        cloud.down()
    eventually(lambda: not any(processes.started(int(pid)) for pid in pids))


def test_a_failing_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """A daemon that can't start is named with the end of its log, and what had started is ended."""
    cloud = Cloud(tmp_path / "cloud", quiet)
    plan = planned(cloud.directory)
    cloud.directory.mkdir()
    (cloud.directory / "buckets").write_text("not a directory")
    with pytest.raises(LocalError, match=r"(?s)nova-all ended.*buckets"):
        cloud.up(plan)
    assert not cloud.runs()


def test_purge_removes_all_of_it(tmp_path: Path) -> None:
    """After down and purge the directory is gone; one that is no cloud's is not touched."""
    cloud = Cloud(tmp_path / "cloud", quiet)
    cloud.up(planned(cloud.directory))
    with pytest.raises(LocalError, match="end it first"):
        cloud.purge()
    cloud.down()
    cloud.purge()
    assert not cloud.directory.exists()
    with pytest.raises(LocalError, match="nothing was removed"):
        Cloud(tmp_path, quiet).down()


def test_publishing_ends_with_three_ids(cloud: Cloud, tmp_path: Path) -> None:
    """A published tarball becomes three images that end available, and can't be published twice."""
    tarball = tmp_path / "tiny-amd64.tar.gz"
    for name, size in (("tiny-vmlinuz", 10), ("tiny-initrd", 20), ("tiny.img", 3 << 20)):
        (tmp_path / name).write_bytes(os.urandom(size))
    with tarfile.open(tarball, "w:gz") as archive:
        for name in ("tiny-vmlinuz", "tiny-initrd", "tiny.img"):
            archive.add(tmp_path / name, name)
    environment = read_novarc(cloud.novarc)
    program = ("nova_tx.local.publish_command", "uec-publish-tarball")
    kept = ("-d", str(tmp_path / "kept"))
    argv = [sys.executable, "-m", *program, *kept, str(tarball), "bucket"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r'emi="(ami-\w+)"; eri="(ami-\w+)"; eki="(ami-\w+)";', done.stdout.splitlines()[-1]
    )
    assert found
    ec2, _ = connect(environment)
    over = ("available", "failed")
    eventually(lambda: all(image.state in over for image in ec2.get_all_images()))
    image = ec2.get_image(found[1])
    assert (image.state, image.architecture) == ("available", "x86_64")
    assert (image.kernel_id, image.ramdisk_id) == (found[3], found[2])
    again = subprocess.run(argv, env=environment, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (1, "")
    assert "registered already" in again.stderr
