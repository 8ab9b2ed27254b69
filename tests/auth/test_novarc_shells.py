"""What shells make of a novarc."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from john import AUTH, FILES, JOHN, PLACE, WHO, novarc, sourced

from nova_tx.auth import credentials
from nova_tx.model.users import Membership, Project

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


@pytest.mark.parametrize(("trusted", "where"), [("ssl-ca.pem", "{}/ssl-ca.pem"), ("/x y", "/x y")])
def test_trusted(tmp_path: Path, trusted: str, where: str) -> None:
    """What https is verified with lies beside the novarc, or where its whole path says; clients
    are told of it only if there is such a file."""
    text = credentials.rc_text(WHO, PLACE, AUTH, replace(FILES, trusted=trusted))
    found = sourced("bash", text, tmp_path, Path("/"))
    assert found["AWS_CA_BUNDLE"] == found["REQUESTS_CA_BUNDLE"] == where.format(tmp_path)
    assert "CA_BUNDLE" not in novarc()
