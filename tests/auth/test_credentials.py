"""What a user takes home."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_tx.auth import credentials, s3_signatures, signatures
from nova_tx.auth.authority import Issued
from nova_tx.auth.credentials import Endpoints, FileNames
from nova_tx.errors import InvalidInput
from nova_tx.flags import AuthFlags, Ec2Flags, S3Flags
from nova_tx.local.clients import connect
from nova_tx.model.users import Membership, Project, User

EC2 = Ec2Flags(ec2_host="api.example.com", ec2_dmz_host="10.1.1.1")
S3 = S3Flags(s3_dmz="10.1.1.2")
AUTH = AuthFlags(osapi_host="10.1.1.3")
PLACE = Endpoints("nova", "http://10.1.1.1:8773/services/Cloud", "http://10.1.1.1:3333", "http://o")
FILES = FileNames("pk.pem", "cert.pem", "cacert.pem")
JOHN = User("john", "my-access-key", "a-super-secret-key", False)
PROJECT = Project("john_project", "john", "")
WHO = Membership(JOHN, PROJECT, True)

#: Those that can say which file they read, and one that can't.
SHELLS = ["bash", "zsh", "dash"]

#: The names of Bexar's novarc in their order, then those of today's tools.
NAMES = [
    "NOVA_KEY_DIR",
    "EC2_ACCESS_KEY",
    "EC2_SECRET_KEY",
    "EC2_URL",
    "S3_URL",
    "EC2_USER_ID",
    "EC2_PRIVATE_KEY",
    "EC2_CERT",
    "NOVA_CERT",
    "EUCALYPTUS_CERT",
    "ec2-bundle-image",
    "ec2-upload-bundle",
    "CLOUD_SERVERS_API_KEY",
    "CLOUD_SERVERS_USERNAME",
    "CLOUD_SERVERS_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_AUTH_REGION",
]


def novarc(user: User = JOHN) -> str:
    return credentials.rc_text(replace(WHO, user=user), PLACE, AUTH, FILES)


def sourced(shell: str, text: str, directory: Path, there: Path) -> dict[str, str]:
    """The environment of a shell that stands in C{there} and sources a novarc of C{directory}."""
    directory.mkdir(exist_ok=True, parents=True)
    (directory / "novarc").write_text(text)
    script = f'set -eu; cd "$1"; . "$2/novarc"; {shutil.which("env")} -0'
    argv = [shell, "-c", script, shell, str(there), str(directory)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PATH": "/bin"})
    assert done.stderr == ""
    entries = (entry.partition("=") for entry in done.stdout.split("\0") if entry)
    return {name: value for name, _, value in entries}


def test_order() -> None:
    """The names are Bexar's, in Bexar's order, and after them today's."""
    found = []
    for line in novarc().splitlines():
        for word in ("export ", "alias "):
            if line.startswith(word):
                found.append(line.removeprefix(word).partition("=")[0])
    assert found == NAMES


@pytest.mark.parametrize("shell", [*SHELLS, "sh"])
def test_sourced(shell: str, tmp_path: Path) -> None:
    """Each shell gets every value; the files are those beside the novarc."""
    directory = tmp_path / """my "own" $HOME's `keys`\\"""
    found = sourced(shell, novarc(), directory, tmp_path)
    assert {name: found[name] for name in NAMES if name in found} == {
        "NOVA_KEY_DIR": str(directory),
        "EC2_ACCESS_KEY": "my-access-key:john_project",
        "EC2_SECRET_KEY": "a-super-secret-key",
        "EC2_URL": "http://10.1.1.1:8773/services/Cloud",
        "S3_URL": "http://10.1.1.1:3333",
        "EC2_USER_ID": "42",
        "EC2_PRIVATE_KEY": f"{directory}/pk.pem",
        "EC2_CERT": f"{directory}/cert.pem",
        "NOVA_CERT": f"{directory}/cacert.pem",
        "EUCALYPTUS_CERT": f"{directory}/cacert.pem",
        "CLOUD_SERVERS_API_KEY": "my-access-key",
        "CLOUD_SERVERS_USERNAME": "john",
        "CLOUD_SERVERS_URL": "http://o",
        "AWS_ACCESS_KEY_ID": "my-access-key:john_project",
        "AWS_SECRET_ACCESS_KEY": "a-super-secret-key",
        "AWS_ENDPOINT_URL_EC2": "http://10.1.1.1:8773/services/Cloud",
        "AWS_ENDPOINT_URL_S3": "http://10.1.1.1:3333",
        "AWS_DEFAULT_REGION": "nova",
        "AWS_REGION": "nova",
        "AWS_AUTH_REGION": "nova",
    }


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "how",
    [
        ". ./keys/novarc",
        "cd keys; . ./novarc; cd ..",
        "(. ./keys/novarc; env -0); exit",
        ". ./wrapper",
        "{ . ./keys/novarc; } 3>&1 >out",
        'cd /; CDPATH=/tmp:/; . "$here/keys/novarc"',
        "f() { . ./keys/novarc; }; f",
    ],
)
def test_where_it_is(shell: str, how: str, tmp_path: Path) -> None:
    """Each shell finds the keys beside the file that it reads, however it comes to read it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "novarc").write_text(novarc())
    (tmp_path / "wrapper").write_text("# NOVA_KEY_DIR=\n. ./keys/novarc\n")
    script = f"set -eu; here=$PWD; {how}; env -0"
    done = subprocess.run(
        [shell, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert f"EC2_CERT={keys}/cert.pem" in done.stdout.split("\0")
    assert done.stderr == ""


@pytest.mark.parametrize("shell", SHELLS)
def test_script(shell: str, tmp_path: Path) -> None:
    """A script finds the keys that it sources, whatever files it has open."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "novarc").write_text(novarc())
    script = tmp_path / "script"
    script.write_text("exec 3<script; . keys/../keys/novarc\nexec env -0\n")
    done = subprocess.run(
        [shell, "script"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert f"EC2_CERT={tmp_path}/keys/cert.pem" in done.stdout.split("\0")


@pytest.mark.parametrize("shell", SHELLS)
def test_tokens_of_other_keys(shell: str, tmp_path: Path) -> None:
    """A session that was opened elsewhere is not taken along with these keys."""
    (tmp_path / "novarc").write_text(novarc())
    done = subprocess.run(
        [shell, "-c", "set -eu; . ./novarc; env"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "AWS_SESSION_TOKEN": "x", "AWS_SECURITY_TOKEN": "x"},
    )
    assert "TOKEN" not in done.stdout and "AWS_ACCESS_KEY_ID" in done.stdout


def test_noisy_zsh(tmp_path: Path) -> None:
    """A zsh that lists every directory it comes into finds the keys all the same."""
    (tmp_path / "novarc").write_text(novarc())
    script = f"chpwd() {{ ls; }}; cd /; . {tmp_path}/novarc; env -0"
    done = subprocess.run(["zsh", "-c", script], check=True, capture_output=True, text=True)
    assert f"NOVA_KEY_DIR={tmp_path}" in done.stdout.split("\0")


def test_aliases(tmp_path: Path) -> None:
    """The aliases name the keys in a directory with blanks, and hold no secret themselves."""
    directory = tmp_path / "my keys"
    directory.mkdir()
    (directory / "novarc").write_text(novarc())
    for name in ("ec2-bundle-image", "ec2-upload-bundle"):
        (tmp_path / name).write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        (tmp_path / name).chmod(0o755)
    script = (
        "shopt -s expand_aliases\n. './my keys/novarc'\n"
        "ec2-bundle-image -i disk\nec2-upload-bundle -b bucket\nalias\n"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    words, _, aliases = done.stdout.partition("alias ")
    assert words.split("\n")[:-1] == [
        *("--cert", f"{directory}/cert.pem", "--privatekey", f"{directory}/pk.pem"),
        *("--user", "42", "--ec2cert", f"{directory}/cacert.pem", "-i", "disk"),
        *("-a", "my-access-key:john_project", "-s", "a-super-secret-key"),
        *("--url", "http://10.1.1.1:3333", "--ec2cert", f"{directory}/cacert.pem", "-b", "bucket"),
    ]
    assert "a-super-secret-key" not in aliases


#: What a shell would take for something else.
HOSTILE = st.text(st.sampled_from("'\"`$\\!%(){};&|<>*?~#= \n\tabé"), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile(secret: str, project: str, region: str) -> None:
    """A value arrives as it is, and never becomes a command: in dash, which reads all of it."""
    who = Membership(replace(JOHN, secret_key=secret), Project(project, "john", ""), True)
    place = replace(PLACE, region=region)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name, "keys")
        found = sourced("dash", credentials.rc_text(who, place, AUTH, FILES), directory, directory)
        assert os.listdir(directory) == ["novarc"]
    assert found["EC2_SECRET_KEY"] == found["AWS_SECRET_ACCESS_KEY"] == secret
    assert found["EC2_ACCESS_KEY"] == found["AWS_ACCESS_KEY_ID"] == f"my-access-key:{project}"
    assert found["AWS_DEFAULT_REGION"] == found["AWS_AUTH_REGION"] == region


@pytest.mark.parametrize("shell", SHELLS)
def test_quoted(shell: str, tmp_path: Path) -> None:
    """A value is the same in every shell."""
    secret = "'$(touch owned)`touch owned`\"\\;&|!!%%s"
    found = sourced(shell, novarc(replace(JOHN, secret_key=secret)), tmp_path, tmp_path)
    assert found["EC2_SECRET_KEY"] == found["AWS_SECRET_ACCESS_KEY"] == secret
    assert not (tmp_path / "owned").exists()


# Templates.


def test_template(tmp_path: Path) -> None:
    """An operator's own template gets every value by name; %% is a per cent sign."""
    path = tmp_path / "rc"
    names = ("access", "project", "secret", "ec2", "s3", "os", "user", "nova", "cert", "key")
    path.write_text("100%%\n" + "".join(f"%({name})s\n" for name in (*names, "region")))
    auth = replace(AUTH, credentials_template=str(path))
    assert credentials.rc_text(WHO, PLACE, auth, FILES).splitlines() == [
        *("100%", "my-access-key", "john_project", "a-super-secret-key", PLACE.ec2, PLACE.s3),
        *("http://o", "john", "cacert.pem", "cert.pem", "pk.pem", "nova"),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%(wealth)s", "wants 'wealth'; there are access, project"),
        (b"100%", "has a % that is neither"),
        (b"%s", "has a % that is neither"),
        (b"\xff\xfe", "is no text"),
        (None, "can't read"),
    ],
)
def test_bad_template(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A template that is no good is one sentence, with its flag, its file and no secret."""
    path = tmp_path / "rc"
    if content is not None:
        path.write_bytes(content)
    auth = replace(AUTH, credentials_template=str(path))
    with pytest.raises(InvalidInput, match=said) as caught:
        credentials.rc_text(WHO, PLACE, auth, FILES)
    assert str(caught.value).startswith(f"--credentials_template: {'can' if not content else path}")
    assert JOHN.secret_key not in str(caught.value)


ISSUED = Issued(b"key", b"certificate", "/CA/newcerts/10.pem", b"project and root")


def unpacked(auth: AuthFlags, vpn: tuple[str, int] | None, ec2: Ec2Flags = EC2) -> dict[str, str]:
    packed = credentials.take_home(WHO, (ec2, S3, auth), "CA/cacert.pem", ISSUED, vpn)
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


@pytest.mark.parametrize(("trusted", "where"), [("ssl-ca.pem", "{}/ssl-ca.pem"), ("/x y", "/x y")])
def test_trusted(tmp_path: Path, trusted: str, where: str) -> None:
    """What https is verified with lies beside the novarc, or where its whole path says; clients
    are told of it only if there is such a file."""
    text = credentials.rc_text(WHO, PLACE, AUTH, replace(FILES, trusted=trusted))
    found = sourced("bash", text, tmp_path, Path("/"))
    assert found["AWS_CA_BUNDLE"] == found["REQUESTS_CA_BUNDLE"] == where.format(tmp_path)
    assert "CA_BUNDLE" not in novarc()


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


# Clients that nobody here wrote, with what the novarc gave them.


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("client")
    return sourced("sh", novarc(), place, place)


def boto3_request(environment: dict[str, str], service: str, action: str, **words: Any) -> Any:
    """What boto3 sends."""
    sent: list[Any] = []

    def send(request: Any, **_: object) -> Any:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, io.BytesIO(b"<x/>"))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        client = boto3.session.Session().client(service)
        client.meta.events.register("before-send", send)
        try:
            getattr(client, action)(**words)
        except AttributeError:
            pass  # the answer is none
    return sent[0]


def s3_request(method: str, url: str, headers: Any) -> s3_signatures.S3Request:
    parts = urlsplit(url)
    query = tuple((name, value) for name, [value] in parse_qs(parts.query, True).items())
    given = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in headers.items()
    }
    return s3_signatures.S3Request(
        method, parts.path or "/", query, {"host": parts.netloc, **given}
    )


def test_boto3_ec2(environment: dict[str, str]) -> None:
    """boto3 goes to EC2_URL and signs with key and project as one word."""
    request = boto3_request(environment, "ec2", "describe_instances")
    assert request.url == environment["EC2_URL"]
    header = request.headers["Authorization"].decode()
    said = signatures.parse_v4_authorization(header)
    assert said.access_key == "my-access-key:john_project"
    assert said.scope.split("/")[1:] == ["nova", "ec2", "aws4_request"]


def test_boto3_s3(environment: dict[str, str]) -> None:
    """The objectstore reads key and project out of what boto3 signs, and finds it genuine."""
    request = boto3_request(environment, "s3", "list_objects_v2", Bucket="bucket")
    claim = s3_signatures.claim(
        s3_request(request.method, request.url, request.headers), datetime.now(UTC)
    )
    assert (claim.access_key, claim.project_id) == ("my-access-key", "john_project")
    claim.verify("a-super-secret-key")


def test_boto(environment: dict[str, str]) -> None:
    """boto 2.49 takes the same words for EC2 and S3, and both read them back."""
    ec2, s3 = connect(environment)
    asked = ec2.build_base_http_request("POST", "/", None, {"Action": "DescribeInstances"})
    asked.authorize(connection=ec2)
    assert asked.path == "/services/Cloud/"
    said = signatures.parse_v4_authorization(asked.headers["Authorization"])
    assert said.access_key == "my-access-key:john_project"
    got = s3.build_base_http_request("GET", "/bucket/", "/bucket/")
    got.authorize(connection=s3)
    claim = s3_signatures.claim(
        s3_request("GET", "http://10.1.1.1:3333/bucket/", got.headers), datetime.now(UTC)
    )
    assert (claim.access_key, claim.project_id) == ("my-access-key", "john_project")
    claim.verify("a-super-secret-key")
