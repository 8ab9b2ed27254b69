"""One request through the logs of all daemons, and what monitoring is told meanwhile."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
SUITE = ("nova-api", "nova-scheduler", "nova-network", "nova-compute", "nova-objectstore")
#: What each says of a RunInstances, in words that are found by an operator.
STORY = {
    "nova-api": (
        r"nova_tx\.api \[.*s 127\.0\.0\.1 POST /services/Cloud RunInstances 200 ",
        "cast run_instance",
    ),
    "nova-scheduler": ("takes run_instance", "goes to", "cast run_instance to compute"),
    "nova-network": ("takes allocate_fixed_ip", r"has 10\.100\.", "allocate_fixed_ip is done"),
    "nova-compute": ("takes run_instance", "call allocate_fixed_ip", "is running", "runs"),
    "nova-objectstore": (r"nova_tx\.objectstore \[.* GET /_images.* _images 200 ",),
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """Five daemons that log all they can into files of their own, and one image."""
    directory = tmp_path_factory.mktemp("request")
    (directory / "logs").mkdir()
    made = Daemons(directory / "cloud", "--verbose", f"--logdir={directory / 'logs'}")
    try:
        made.up(free_plan(made.directory))
        image = made.publish("images", "tiny", b"a disk" * 1000)
        until(lambda: made.image_state(image) == "available", "the image")
        yield made
    finally:
        made.close()


def logs(cloud: Daemons) -> dict[str, str]:
    """All that each daemon has logged."""
    directory = cloud.directory.parent / "logs"
    return {path.stem: path.read_text() for path in directory.iterdir()}


def launch(cloud: Daemons) -> str:
    """Run an instance with user data and a key; returns the request's id when it runs."""
    [image] = cloud.ec2.describe_images()["Images"]
    run = cloud.ec2.run_instances(
        ImageId=image["ImageId"],
        MinCount=1,
        MaxCount=1,
        InstanceType="m1.tiny",
        UserData="open sesame",
    )
    [instance] = run["Instances"]

    def runs() -> bool:
        found = cloud.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])
        return bool(found["Reservations"][0]["Instances"][0]["State"]["Name"] == "running")

    until(runs, "the instance")
    return str(run["ResponseMetadata"]["RequestId"])


def test_every_daemon_tells_of_the_request(cloud: Daemons) -> None:
    """Searching all logs for the id of a RunInstances tells its story, daemon by daemon."""
    request_id = launch(cloud)
    until(lambda: "run_instance is done" in logs(cloud)["nova-compute"], "the end of the message")
    told = logs(cloud)
    assert set(told) == set(SUITE)
    for name, words in STORY.items():
        lines = [line for line in told[name].splitlines() if request_id in line]
        for each in words:
            assert any(re.search(each, line) for line in lines), (name, each, lines)
        assert all(f"[{request_id} admin admin]" in line for line in lines if "None" not in line)


def test_no_log_has_secrets(cloud: Daemons) -> None:
    """At verbose no daemon's log has a key, a password, or what is a guest's own."""
    key = cloud.ec2.create_key_pair(KeyName="mine")["KeyMaterial"]
    launch(cloud)
    known = cloud.environment
    secrets = [known["EC2_SECRET_KEY"], cloud.broker.password, "open sesame", "b3BlbiBzZXNhbWU"]
    for pem in (key, (cloud.directory / "pk.pem").read_text()):
        secrets += pem.splitlines()[1:-1]
    told = logs(cloud)
    assert "CreateKeyPair" in told["nova-api"]
    assert [name for name, text in told.items() for each in secrets if each in text] == []


def test_rotated_by_a_signal(cloud: Daemons) -> None:
    """After logrotate has renamed its log, and sent SIGHUP, a daemon goes on in a new one."""
    file = cloud.directory.parent / "logs" / "nova-scheduler.log"
    file.rename(file.with_suffix(".1"))
    pid = cloud.signal("nova-scheduler", signal.SIGHUP)
    until(file.exists, "the new log")
    file.with_suffix(".1").unlink()
    launch(cloud)
    assert "goes to" in file.read_text()
    assert cloud.pid("nova-scheduler") == pid


def read(url: str) -> tuple[int, str]:
    """Status and content of a page; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


def test_health_of_a_worker(cloud: Daemons) -> None:
    """/health of nova-compute is 200 while all it needs is there, 503 while its broker is not."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    _restart(cloud, "nova-compute", f"--metrics_port={port}")
    _, lines = until(lambda: _well(url), "a daemon that is well")
    names = [line.partition(":")[0] for line in lines.splitlines()]
    assert names == ["database", "bus", "hypervisor", "nova-compute"]
    cloud.broker.kill()
    until(lambda: read(f"{url}/health")[0] == 503, "a daemon that is not")
    _, lines = read(f"{url}/health")
    assert re.search(r"^bus: NOT WELL, the broker at .* is away$", lines, re.M)
    cloud.broker.start()
    until(lambda: _well(url), "the broker's return")
    launch(cloud)
    _, figures = read(f"{url}/metrics")
    assert re.search(r'^nova_tx_rpc_handled_total\{method="run_instance",.*\} 1.0$', figures, re.M)
    assert re.search(r'^nova_tx_instances\{state="running"\} [1-9]', figures, re.M)
    assert re.search(r"^process_resident_memory_bytes [1-9]", figures, re.M)
    assert re.search(r"^nova_tx_reactor_lag_seconds_count [1-9]", figures, re.M)
    assert read(f"{url}/else")[0] == 404


def _well(url: str) -> tuple[int, str] | None:
    found = read(f"{url}/health")
    return found if found[0] == 200 else None


def _restart(cloud: Daemons, name: str, *flags: str) -> None:
    """Start a daemon anew with further flags."""
    with open(cloud.flagfile, "a", encoding="utf-8") as file:
        file.writelines(f"{each}\n" for each in flags)
    before = logs(cloud).get(name, "").count(" ready\n")
    cloud.kill(name)
    cloud.start_daemon(name)
    until(lambda: _readies(cloud, name) > before, f"{name} to be ready")


def _readies(cloud: Daemons, name: str) -> int:
    return len(re.findall(r" ready$|: \"ready\"", logs(cloud).get(name, ""), re.M))


def _neighbours() -> int:
    """A port that is free, and so is the next."""
    while True:
        port = free_port()
        try:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port + 1))
        except OSError:
            continue
        return port


def test_each_process_has_its_port(cloud: Daemons) -> None:
    """Of several processes of a daemon the first has metrics_port, the second the next."""
    port = _neighbours()
    _restart(cloud, "nova-objectstore", f"--metrics_port={port}", "--objectstore_workers=2")
    for each in (port, port + 1):
        url = f"http://127.0.0.1:{each}"
        _, lines = until(lambda url=url: _well(url), "a process that is well")  # type: ignore[misc]
        assert lines.startswith("database: ok\n")
        assert "nova_tx_s3_requests_total" in read(f"{url}/metrics")[1]


def test_lines_of_json(cloud: Daemons) -> None:
    """With log_json every line of a daemon is an object, also those of Twisted."""
    file = cloud.directory.parent / "logs" / "nova-network.log"
    file.unlink()
    _restart(cloud, "nova-network", "--log_json", "--metrics_port=0")
    request_id = launch(cloud)
    told = [json.loads(line) for line in file.read_text().splitlines()]
    mine = [each["message"] for each in told if each["request_id"] == request_id]
    assert any("has 10.100." in each for each in mine)
    assert {each["binary"] for each in told} == {"nova-network"}


def test_a_port_that_is_taken(cloud: Daemons) -> None:
    """A daemon whose metrics_port is another's ends with one sentence."""
    argv = [sys.executable, "-m", "nova_tx.taps.launch", "nova-scheduler", "--nodaemon"]
    argv += [f"--flagfile={cloud.flagfile}", f"--metrics_port={cloud.ours.ec2_port}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=CHECKOUT)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("nova-scheduler: can't listen on 127.0.0.1:")
    assert line.endswith("Address already in use")


def test_a_full_disk(cloud: Daemons) -> None:
    """A daemon that can't write a single line of its log works on."""
    port = free_port()
    with open(cloud.flagfile, "a", encoding="utf-8") as file:
        file.write(f"--logfile=/dev/full\n--metrics_port={port}\n")
    cloud.kill("nova-scheduler")
    cloud.start_daemon("nova-scheduler")
    until(lambda: _well(f"http://127.0.0.1:{port}"), "a daemon that is well")
    launch(cloud)
