"""A cloud all of whose users come by TLS, and whose services ask each other so."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import SSLError

from nova_tx.local.clients import connect
from nova_tx.testing.certificates import Authority
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.endpoint import Endpoint

ADDRESSES = ["127.0.0.1"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "authority")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Daemons]:
    """Five daemons, two of them of two processes."""
    ours = authority.issue("cloud", ADDRESSES)
    made = Daemons(
        tmp_path_factory.mktemp("tls") / "cloud",
        "--api_workers=2",
        "--objectstore_workers=2",
        "--ec2_scheme=https",
        "--s3_scheme=https",
        *(f"--{door}_ssl_cert={ours.certificate}" for door in ("ec2", "s3")),
        *(f"--{door}_ssl_key={ours.key}" for door in ("ec2", "s3")),
        f"--s3_ssl_ca={authority.path}",
        f"--credential_ssl_ca={authority.path}",
    )
    try:
        made.up(free_plan(made.directory))
        yield made
    finally:
        made.close()


def test_credentials(cloud: Daemons, authority: Authority) -> None:
    """Who has unzipped what nova-manage packed is led to https, and to what it is verified with."""
    known = cloud.environment
    assert known["EC2_URL"].startswith("https://127.0.0.1:")
    assert known["S3_URL"].startswith("https://127.0.0.1:")
    trusted = Path(known["AWS_CA_BUNDLE"])
    assert trusted.parent == cloud.directory and known["REQUESTS_CA_BUNDLE"] == str(trusted)
    assert trusted.read_bytes() == authority.path.read_bytes()
    rc = cloud.directory / "inside"
    cloud._manage("project", "environment", "admin", "admin", str(rc))
    text = rc.read_text()
    assert 'S3_URL="https://' in text and f'AWS_CA_BUNDLE="{authority.path}"' in text


def test_an_image_is_launched(cloud: Daemons) -> None:
    """boto3 uploads an image and launches it: the API asks the objectstore of it, a host fetches
    it, both by https."""
    image_id = cloud.publish("images", "disk", os.urandom(2**20))
    until(lambda: cloud.image_state(image_id) == "available", "the image")
    made = cloud.ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    ids = [each["InstanceId"] for each in made["Instances"]]

    def state() -> str:
        [found] = cloud.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return str(found["Instances"][0]["State"]["Name"])

    until(lambda: state() == "running", "the instance")
    assert f"GET /_images/{image_id}/image" in cloud.log("nova-objectstore")
    assert "Traceback" not in cloud.log("nova-objectstore") + cloud.log("nova-api")


def test_published_by_tool(cloud: Daemons, tmp_path: Path) -> None:
    """uec-publish-image uploads and registers by https, and refuses a cloud it can't verify."""
    image = tmp_path / "disk"
    image.write_bytes(os.urandom(2**20))
    argv = [sys.executable, "-m", "nova_tx.local.publish_command", "uec-publish-image"]
    argv += ["--type=image", "x86_64", str(image), "published"]
    system = {name: value for name, value in cloud.environment.items() if "CA_BUNDLE" not in name}
    done = subprocess.run(argv, env=system, capture_output=True, text=True)
    assert done.returncode != 0 and "certificate verify failed" in done.stderr + done.stdout
    done = subprocess.run(argv, env=cloud.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ec2, s3 = connect(cloud.environment)
    [found] = [each for each in ec2.get_all_images() if "published" in each.location]
    assert found.id in done.stdout
    assert s3.get_bucket("published").get_all_keys()


def test_metadata_is_plain(cloud: Daemons) -> None:
    """Guests ask for metadata by http, as ever."""
    port = 8775 + cloud.ours.port_base
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=120) as answer:
        assert answer.read().startswith(b"1.0\n")


def test_who_does_not_trust_it(cloud: Daemons, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client with other CAs than the cloud's sends nothing."""
    monkeypatch.setitem(cloud.environment, "AWS_CA_BUNDLE", ssl.get_default_verify_paths().cafile)
    with pytest.raises(SSLError):
        cloud.client("ec2").describe_instances()


def test_renewed(cloud: Daemons, authority: Authority) -> None:
    """SIGHUP has both processes of the API show a new certificate; clients that are there stay."""
    port = urlsplit(cloud.environment["EC2_URL"]).port
    assert port is not None
    endpoint = Endpoint(port, authority)

    def number() -> object:
        with endpoint.connect() as link:
            assert isinstance(link, ssl.SSLSocket)
            return (link.getpeercert() or {})["serialNumber"]

    cloud.ec2.describe_instances()
    old = number()
    authority.issue("cloud", ADDRESSES)
    text = "TLS of the EC2 API: CN=cloud"
    before = cloud.log("nova-api").count(text)
    cloud.signal("nova-api", signal.SIGHUP)
    until(lambda: cloud.log("nova-api").count(text) == before + 2, "both to have read it")
    new = {number() for _ in range(20)}
    assert len(new) == 1 and old not in new
    cloud.ec2.describe_instances()
