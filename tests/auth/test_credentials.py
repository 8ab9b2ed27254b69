"""What a user takes home: the zip, and where the services in it are."""

from __future__ import annotations

import io
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from john import AUTH, EC2, S3, WHO

from nova_tx.auth import credentials
from nova_tx.auth.authority import Issued
from nova_tx.errors import InvalidInput
from nova_tx.flags import AuthFlags, Ec2Flags

ISSUED = Issued(b"key", b"certificate", "/CA/newcerts/10.pem", b"project and root")


def unpacked(auth: AuthFlags, vpn: tuple[str, int] | None, ec2: Ec2Flags = EC2) -> dict[str, str]:
    packed = credentials.take_home(WHO, (ec2, S3, auth), "CA/cacert.pem", vpn)(ISSUED)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def test_vpn() -> None:
    """With a VPN its configuration is before the authorities, and names what is in the zip."""
    found = unpacked(AUTH, ("203.0.113.7", 1001))
    assert list(found) == ["novarc", "pk.pem", "cert.pem", "nova-vpn.conf", "cacert.pem"]
    lines = found["nova-vpn.conf"].splitlines()
    for line in ("remote 203.0.113.7 1001", 'cert "cert.pem"', 'key "pk.pem"', 'ca "cacert.pem"'):
        assert line in lines
    for line in ("client", "dev tap", "proto udp", "nobind", "keepalive 10 120", "persist-key"):
        assert line in lines


def test_vpn_template(tmp_path: Path) -> None:
    """A template of the operator's, and names by flags, are taken for it."""
    path = tmp_path / "vpn"
    path.write_text('%(ip)s %(port)s "%(keyfile)s" %(certfile)s %(cafile)s\n')
    auth = replace(
        AUTH,
        vpn_client_template=str(path),
        credential_vpn_file="tunnel.conf",
        credential_key_file='my "key"',
    )
    found = unpacked(auth, ("203.0.113.7", 1001))
    assert found["tunnel.conf"] == '203.0.113.7 1001 "my \\"key\\"" cert.pem cacert.pem\n'


def test_https_in_the_zip(tmp_path: Path) -> None:
    """What https is verified with is in the zip, and each rc file there names it beside itself."""
    (tmp_path / "ca.pem").write_bytes(b"the CA")
    auth = replace(AUTH, credential_ssl_ca=str(tmp_path / "ca.pem"))
    ec2 = replace(EC2, region_list=("east=e.example.com", "west=w.example.com"))
    found = unpacked(auth, None, ec2)
    assert found["ssl-ca.pem"] == "the CA"
    for name in ("eastrc", "westrc"):
        assert 'export AWS_CA_BUNDLE="${NOVA_KEY_DIR}/ssl-ca.pem"' in found[name].splitlines()
    assert "ssl-ca.pem" not in unpacked(AUTH, None)


def test_https_on_this_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a zip the whole path is named, wherever the novarc is put."""
    monkeypatch.chdir(tmp_path)
    names = credentials.file_names(replace(AUTH, credential_ssl_ca="ca.pem"), "CA/cacert.pem")
    assert names.trusted == str(tmp_path / "ca.pem")
    assert credentials.file_names(AUTH, "CA/cacert.pem").trusted is None


def test_one_name_for_two_regions() -> None:
    """A name without the region is refused if there are several: one would hide the other."""
    ec2 = replace(EC2, region_list=("east=e.example.com", "west=w.example.com"))
    with pytest.raises(InvalidInput, match="--credential_rc_file gives two regions"):
        unpacked(replace(AUTH, credential_rc_file="novarc"), None, ec2)


def test_inside() -> None:
    """The environment command gives the addresses of the cloud's own network."""
    found = credentials.inside(EC2, S3, AUTH)
    assert (found.region, found.ec2, found.s3, found.openstack) == (
        "nova",
        "http://10.1.1.1:8773/services/Cloud",
        "http://10.1.1.2:3333",
        "http://10.1.1.3:8774/v1.0/",
    )


def test_outside() -> None:
    """The zip gives the public address, for the objectstore, too."""
    [found] = credentials.outside(EC2, S3, AUTH)
    assert (found.region, found.ec2, found.s3) == (
        "nova",
        "http://api.example.com:8773/services/Cloud",
        "http://api.example.com:3333",
    )


def test_https() -> None:
    """Each service has its scheme."""
    [found] = credentials.outside(
        replace(EC2, ec2_scheme="https"), replace(S3, s3_scheme="https"), AUTH
    )
    assert found.ec2 == "https://api.example.com:8773/services/Cloud"
    assert found.s3 == "https://api.example.com:3333"
    assert credentials.inside(EC2, replace(S3, s3_scheme="https"), AUTH).s3 == (
        "https://10.1.1.2:3333"
    )


def test_ec2_url() -> None:
    """Flag ec2_url replaces the composed URL."""
    flags = replace(EC2, ec2_url="https://front.example.com/ec2")
    assert credentials.inside(flags, S3, AUTH).ec2 == "https://front.example.com/ec2"
    assert credentials.outside(flags, S3, AUTH)[0].ec2 == "https://front.example.com/ec2"


def test_regions() -> None:
    """Each region of the list has its own host for all services."""
    flags = replace(
        EC2, region_list=("east=e.example.com", "west=w.example.com"), ec2_url="http://x"
    )
    east, west = credentials.outside(flags, S3, AUTH)
    assert (east.region, west.region) == ("east", "west")
    assert west.ec2 == "http://w.example.com:8773/services/Cloud"
    assert west.s3 == "http://w.example.com:3333"
    assert west.openstack == "http://w.example.com:8774/v1.0/"


@pytest.mark.parametrize("entry", ["east", "=host", "east=", "../x=host"])
def test_bad_region(entry: str) -> None:
    """An entry that is no name=fqdn is refused, and so is one that would name a file elsewhere."""
    with pytest.raises(InvalidInput, match="is not name=fqdn"):
        credentials.outside(replace(EC2, region_list=(entry,)), S3, AUTH)


def test_archive(tmp_path: Path) -> None:
    """The zip has its members in order, and unpacked they are for their owner only."""
    members = {"novarc": b"one", "pk.pem": b"two", "cert.pem": b"three", "cacert.pem": b""}
    packed = credentials.archive(members)
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        assert file.namelist() == list(members)
        assert {name: file.read(name) for name in members} == members
    (tmp_path / "nova.zip").write_bytes(packed)
    subprocess.run(["unzip", "-q", "nova.zip"], check=True, cwd=tmp_path)
    for name, content in members.items():
        assert (tmp_path / name).read_bytes() == content
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
