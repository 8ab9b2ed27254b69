"""The manual's flags of where services are, as users find them."""

from __future__ import annotations

from collections.abc import Callable

from nova_tx.db.engine import Database
from nova_tx.flags import Ec2Flags, Flags, NodeFlags, S3Flags
from nova_tx.testing.ec2 import Door

Novarc = Callable[..., dict[str, str]]


def region(database: Database, *flags: str) -> str:
    """Where DescribeRegions says that the EC2 API is."""
    door = Door(database, *flags)
    [found] = door.client(door.add_user("joe")).describe_regions()["Regions"]
    return str(found["Endpoint"])


def test_j19_ec2_dmz_host(novarc: Novarc) -> None:
    """Users inside are led to that address."""
    assert novarc("--ec2_dmz_host=10.1.1.1")["EC2_URL"] == "http://10.1.1.1:8773/services/Cloud"


def test_j20_ec2_host(database: Database) -> None:
    """Users outside are led to that address."""
    assert region(database, "--ec2_host=api.example.org").startswith("http://api.example.org:8773/")


def test_j21_ec2_path(novarc: Novarc) -> None:
    """URLs of the EC2 API end so."""
    assert novarc("--ec2_path=/cloud")["EC2_URL"] == "http://192.0.2.1:8773/cloud"


def test_j22_ec2_port(novarc: Novarc) -> None:
    """URLs of the EC2 API have that port."""
    assert novarc("--ec2_port=80")["EC2_URL"] == "http://192.0.2.1:80/services/Cloud"


def test_j23_ec2_scheme(novarc: Novarc) -> None:
    """URLs of the EC2 API begin so."""
    assert novarc("--ec2_scheme=https")["EC2_URL"] == "https://192.0.2.1:8773/services/Cloud"


def test_j24_ec2_url(novarc: Novarc) -> None:
    """It is the whole URL, whatever its parts are."""
    url = "http://184.106.239.134:8773/services/Cloud"
    assert novarc(f"--ec2_url={url}", "--ec2_port=1")["EC2_URL"] == url


def test_j62_osapi_host(novarc: Novarc) -> None:
    """Users are led to the OpenStack API at that address."""
    found = novarc("--osapi_host=10.1.1.3")["CLOUD_SERVERS_URL"]
    assert found == "http://10.1.1.3:8774/v1.0/"


def test_j63_osapi_path(novarc: Novarc) -> None:
    """The OpenStack API's URL ends so."""
    found = novarc("--osapi_path=/v1.1/")["CLOUD_SERVERS_URL"]
    assert found == "http://192.0.2.1:8774/v1.1/"


def test_j64_osapi_port(novarc: Novarc) -> None:
    """The OpenStack API's URL has that port."""
    found = novarc("--osapi_port=80")["CLOUD_SERVERS_URL"]
    assert found == "http://192.0.2.1:80/v1.0/"


def test_j65_osapi_scheme(novarc: Novarc) -> None:
    """The OpenStack API's URL begins so."""
    found = novarc("--osapi_scheme=https")["CLOUD_SERVERS_URL"]
    assert found == "https://192.0.2.1:8774/v1.0/"


def test_j74_region_list(database: Database) -> None:
    """Each pair is a region that users are told of, with the EC2 API at its host."""
    door = Door(database, "--region_list=north=n.example.org,south=s.example.org")
    found = door.client(door.add_user("joe")).describe_regions()["Regions"]
    assert {each["RegionName"]: each["Endpoint"] for each in found} == {
        "north": "http://n.example.org:8773/services/Cloud",
        "south": "http://s.example.org:8773/services/Cloud",
    }


def test_j77_s3_dmz(novarc: Novarc) -> None:
    """Users inside are led to the objectstore at that address."""
    assert novarc("--s3_dmz=10.1.1.2")["S3_URL"] == "http://10.1.1.2:3333"


def test_j53_my_ip(novarc: Novarc) -> None:
    """Every address that is not given is this one."""
    found = novarc("--my_ip=192.0.2.7")
    assert found["EC2_URL"].startswith("http://192.0.2.7:")
    assert found["S3_URL"].startswith("http://192.0.2.7:")
    flags = Flags.load(["--my_ip=192.0.2.7"], (NodeFlags, Ec2Flags, S3Flags))
    assert flags.section(Ec2Flags).ec2_host == flags.section(S3Flags).s3_host == "192.0.2.7"
