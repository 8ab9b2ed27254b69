"""The daemons as processes: how they start, end, die, and go on, over a RabbitMQ of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nova_tx import states
from nova_tx.db import overview
from nova_tx.local import processes
from nova_tx.model.instances import Instance
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
SUITE = ("nova-api", "nova-compute", "nova-network", "nova-objectstore", "nova-scheduler")
#: A flag of each daemon, and one that only others have.
FLAGS = {
    "nova-all": ("--s3_port", "--dhcpbridge"),
    "nova-api": ("--ec2_listen_port", "--dhcpbridge"),
    "nova-compute": ("--connection_type", "--ec2_listen_port"),
    "nova-network": ("--dhcpbridge", "--connection_type"),
    "nova-objectstore": ("--buckets_path", "--connection_type"),
    "nova-scheduler": ("--scheduler_driver", "--connection_type"),
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Five daemons that log all they can, and one image."""
    made = Daemons(
        tmp_path_factory.mktemp("daemons") / "cloud",
        "--verbose",
        "--quota_instances=100",
        "--quota_cores=100",
    )
    try:
        made.up(free_plan(made.directory))
        image = made.publish("images", "tiny", b"a disk" * 1000)
        until(lambda: made.image_state(image) == "available", "the image")
        yield made
    finally:
        made.close()


def launch(cloud: Daemons, count: int = 1) -> list[str]:
    """Run instances; returns their ids."""
    [image] = cloud.ec2.describe_images()["Images"]
    run = cloud.ec2.run_instances(
        ImageId=image["ImageId"], MinCount=count, MaxCount=count, InstanceType="m1.tiny"
    )
    return [each["InstanceId"] for each in run["Instances"]]


def look(cloud: Daemons, ids: Sequence[str]) -> list[dict[str, object]]:
    """What DescribeInstances says of some instances."""
    found = cloud.ec2.describe_instances(InstanceIds=list(ids))["Reservations"]
    return [each for reservation in found for each in reservation["Instances"]]


def run(cloud: Daemons, ids: Sequence[str], state: str = "running") -> bool:
    """Whether all of them are in a state."""
    return all(each["State"]["Name"] == state for each in look(cloud, ids))  # type: ignore[index]


def rows(cloud: Daemons) -> tuple[Instance, ...]:
    """Every instance that is not terminated."""
    return cloud.read(overview.instances, None)


def held(cloud: Daemons) -> list[str]:
    """Names of the instances that hold an address."""
    return [each.hostname for each in cloud.read(overview.fixed_ips, None) if each.hostname]


def end(cloud: Daemons) -> None:
    """Terminate whatever there is: addresses come back, directories go, all agrees."""
    ids = [row.hostname for row in rows(cloud)]
    if ids:
        cloud.ec2.terminate_instances(InstanceIds=ids)
    until(lambda: not rows(cloud), "the end of all instances")
    until(lambda: not cloud.faults(), "what is to agree")
    assert not held(cloud)


def daemon(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A daemon that is expected to end by itself."""
    argv = [sys.executable, "-m", "nova_tx.taps.launch", name, *words]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", FLAGS)
def test_help_lists_the_flags_of_the_daemon(name: str) -> None:
    """Each script answers --help with its own flags, and status 1 as gflags does."""
    done = subprocess.run(
        [CHECKOUT / "scripts" / name, "--help"], capture_output=True, text=True, timeout=120
    )
    own, foreign = FLAGS[name]
    assert done.returncode == 1
    assert f"\nUSAGE: {name} [flags]\n" in done.stdout
    assert f"  {own}: " in done.stdout
    assert f"  {foreign}: " not in done.stdout or name == "nova-all"
    assert done.stderr == ""


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_of_the_wrong_type_is_one_line(name: str) -> None:
    """A value that is no number where one is wanted ends the daemon with one sentence."""
    done = daemon(name, "--nodaemon", "--report_interval=soon")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"{name}: ") and "must be an integer, not 'soon'" in line


def test_a_broker_that_is_away_is_tried_as_the_flags_say(cloud: Daemons) -> None:
    """nova-scheduler tries as often as it was told, then ends with one sentence and status 1."""
    port = free_port()
    tries = ("--rabbit_max_retries=3", "--rabbit_retry_interval=1")
    flags = (f"--flagfile={cloud.flagfile}", f"--rabbit_port={port}")
    done = daemon("nova-scheduler", "--nodaemon", *flags, *tries)
    assert done.returncode == 1
    assert "attempt 2 of 3" in done.stdout and "ready" not in done.stdout
    [line] = done.stderr.splitlines()
    assert line.startswith("nova-scheduler: ") and str(port) in line
    assert cloud.broker.password not in done.stdout + done.stderr


def test_a_database_that_is_away_is_tried_as_the_flags_say(cloud: Daemons) -> None:
    """nova-api tries as often as it was told, then ends with one sentence that has no password."""
    url = f"postgresql+psycopg://nova:hush-hush@127.0.0.1:{free_port()}/nova"
    tries = ("--sql_max_retries=3", "--sql_retry_interval=1")
    flags = (f"--flagfile={cloud.flagfile}", f"--sql_connection={url}")
    done = daemon("nova-api", "--nodaemon", *flags, *tries)
    assert done.returncode == 1
    assert "try 2 of 3" in done.stdout and "ready" not in done.stdout
    [line] = done.stderr.splitlines()
    assert line.startswith("nova-api: can't reach the database")
    assert "hush-hush" not in done.stdout + done.stderr


def test_a_daemon_in_the_background_is_known_by_its_pidfile(cloud: Daemons, tmp_path: Path) -> None:
    """Daemonised it logs to its file, and SIGTERM to the pid of its file ends it cleanly."""
    pidfile, log = tmp_path / "s3.pid", tmp_path / "s3.log"
    flags = (f"--flagfile={cloud.flagfile}", f"--s3_port={free_port()}", f"--state_path={tmp_path}")
    database = f"--sql_connection={cloud.ours.sql_connection}"
    key = f"--secrets_key_file={cloud.directory}/keys/secrets.key"
    words = (f"--pidfile={pidfile}", f"--logfile={log}", *flags, database, key)
    done = daemon("nova-objectstore", *words)
    assert done.returncode == 0, done.stderr
    until(lambda: log.exists() and " ready\n" in log.read_text(), "the daemon")
    pid = int(pidfile.read_text())
    assert os.getsid(pid) != os.getsid(0)
    os.kill(pid, signal.SIGTERM)
    until(lambda: processes.started(pid) is None, "its end")
    assert not pidfile.exists()
    assert "ERROR" not in log.read_text() and "Traceback" not in log.read_text()


def test_sigterm_ends_what_is_in_hand_and_loses_nothing(cloud: Daemons) -> None:
    """nova-compute, told to end, ends the build it is at; what comes then waits for the next."""
    network = cloud.signal("nova-network", signal.SIGSTOP)
    try:
        first = launch(cloud)
        until(lambda: [row.state_description for row in rows(cloud)] == ["networking"], "a build")
        compute = cloud.signal("nova-compute", signal.SIGTERM)
        until(lambda: "SIGTERM, shutting down" in cloud.log("nova-compute"), "the signal")
        second = launch(cloud)
    finally:
        os.kill(network, signal.SIGCONT)
    assert cloud.ended(compute) == 0
    assert run(cloud, first)
    assert run(cloud, second, "pending")
    cloud.start_daemon("nova-compute")
    until(lambda: run(cloud, second), "the second instance")
    end(cloud)


@pytest.mark.parametrize("name", SUITE)
def test_sigterm_ends_each_daemon_cleanly(cloud: Daemons, name: str) -> None:
    """Every daemon that is told to end does, with status 0."""
    assert cloud.ended(cloud.signal(name, signal.SIGTERM)) == 0
    before = cloud.log(name).count(" ready\n")
    cloud.start_daemon(name)
    until(lambda: cloud.log(name).count(" ready\n") > before, "its next run")


def test_a_worker_that_dies_in_a_launch_of_ten_leaves_nothing_open(cloud: Daemons) -> None:
    """After kill -9 of nova-compute every instance ends running or error, and addresses agree."""
    ids = launch(cloud, 10)
    until(lambda: any(row.state_description != "scheduling" for row in rows(cloud)), "a build")
    cloud.kill("nova-compute")
    cloud.start_daemon("nova-compute")
    until(lambda: {row.state_description for row in rows(cloud)} <= {states.RUNNING, "error"}, "it")
    running = [row.hostname for row in rows(cloud) if row.state_description == states.RUNNING]
    until(lambda: sorted(held(cloud)) == sorted(running), "the addresses of the others")
    assert len(rows(cloud)) == len(ids)
    end(cloud)


def test_nobody_is_restarted_for_a_broker_that_died(cloud: Daemons) -> None:
    """After kill -9 of RabbitMQ and its start a launch works, with the daemons as they were."""
    pids = [cloud.pid(name) for name in SUITE]
    cloud.broker.kill()
    cloud.broker.start()
    ids = until(lambda: _launched(cloud), "an accepted launch")
    until(lambda: run(cloud, ids), "the instance")
    assert [cloud.pid(name) for name in SUITE] == pids
    end(cloud)


def _launched(cloud: Daemons) -> list[str]:
    try:
        return launch(cloud)
    except cloud.ec2.exceptions.ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
        return []


def test_logs_hold_no_secrets(cloud: Daemons, tmp_path: Path) -> None:
    """Whatever was asked for, no log has a key, a password, or what is a guest's own."""
    key = cloud.ec2.create_key_pair(KeyName="mine")["KeyMaterial"]
    [image] = cloud.ec2.describe_images()["Images"]
    cloud.ec2.run_instances(
        ImageId=image["ImageId"], MinCount=1, MaxCount=1, KeyName="mine", UserData="open sesame"
    )
    until(lambda: run(cloud, [row.hostname for row in rows(cloud)]), "the instance")
    end(cloud)
    known = cloud.environment
    secrets = [known["EC2_SECRET_KEY"], cloud.broker.password, "open sesame"]
    for pem in (key, (cloud.directory / "pk.pem").read_text()):
        secrets += pem.splitlines()[1:-1]
    files = [*cloud.logs(), *(cloud.broker.directory / "log").rglob("*.log")]
    assert len(files) > len(SUITE)
    texts = {path: path.read_text(errors="replace") for path in files}
    assert any("RunInstances" in text for text in texts.values())
    found = [str(path) for path, text in texts.items() for each in secrets if each in text]
    assert not found


def test_two_clouds_side_by_side(cloud: Daemons, tmp_path: Path) -> None:
    """A second cloud on other ports has its own users, objects and guests."""
    other = Daemons(tmp_path / "other")
    try:
        other.up(free_plan(other.directory, "memory"))
        assert other.ours.port_base != cloud.ours.port_base
        image = other.publish("others", "tiny", b"another disk")
        until(lambda: other.image_state(image) == "available", "its image")
        [theirs] = launch(other)
        until(lambda: run(other, [theirs]), "its instance")
        assert not rows(cloud)
        assert [each["Name"] for each in cloud.s3.list_buckets()["Buckets"]] == ["images"]
        with pytest.raises(cloud.ec2.exceptions.ClientError, match="NotFound"):
            cloud.image_state(image)
    finally:
        other.close()
    assert cloud.runs()
