"""Commands of projects, and the files that their members take home."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import update

from nova_tx.db.schema import instances, networks
from nova_tx.testing.manage import Manage, Told, add_instance, write

NO_VPN = "No vpn data for project john_project\n"


def test_projects(john: Manage) -> None:
    """Projects are listed, get members, and lose them."""
    john("user", "create", "ann")
    assert john("project", "add", "john_project", "ann") == Told(0, "", "")
    assert john("project", "remove", "john_project", "ann") == Told(0, "", "")
    assert john("project", "list").out == "john_project\n"
    again = john("project", "create", "john_project", "john")
    assert again.err == "Project can't be created because project john_project already exists\n"
    nobody = john("project", "create", "new", "bob")
    assert nobody.err == "Project can't be created because manager bob doesn't exist\n"


def test_project_delete(john: Manage, tmp_path: Path) -> None:
    """A project that still has something stays; an empty one goes.            [spec/15 D4]"""
    add_instance(tmp_path)
    told = john("project", "delete", "john_project")
    assert told == Told(1, "", "Project john_project still has 1 instance\n")
    write(tmp_path, update(instances).values(state_description="terminated"))
    assert john("project", "delete", "john_project") == Told(0, "", "")
    assert john("project", "list").out == ""


def test_environment(john: Manage, tmp_path: Path) -> None:
    """The seed's command writes novarc in the current directory, for its owner only."""
    mask = os.umask(0o000)
    try:
        assert john("project", "environment", "john_project", "john") == Told(0, "", "")
    finally:
        os.umask(mask)
    text = (tmp_path / "novarc").read_text()
    assert 'export EC2_ACCESS_KEY="my-access-key:john_project"\n' in text
    assert 'export EC2_URL="http://10.1.1.1:8773/services/Cloud"\n' in text
    assert (tmp_path / "novarc").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "CA").exists()


def test_environment_into_a_pipe(john: Manage, tmp_path: Path) -> None:
    """What is no plain file is written to, not replaced."""
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert john("project", "environment", "john_project", "john", "pipe").code == 0
        assert b"export EC2_URL=" in os.read(reader, 65536)
    finally:
        os.close(reader)


def test_environment_elsewhere(john: Manage, tmp_path: Path) -> None:
    """Another file can be named; it becomes private; if it can't be written, that is said."""
    (tmp_path / "rc").write_text("old")
    (tmp_path / "rc").chmod(0o644)
    john("project", "environment", "john_project", "john", "rc")
    assert (tmp_path / "rc").stat().st_mode & 0o777 == 0o600
    told = john("project", "environment", "john_project", "john", "/no/such/directory/rc")
    assert (told.code, told.err) == (
        1,
        "can't write /no/such/directory/rc: No such file or directory\n",
    )
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".nova-manage-")]


def test_zipfile(john: Manage, tmp_path: Path) -> None:
    """The zip has four members in order; key and certificates fit; each zip has new ones."""
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", NO_VPN)
    assert (tmp_path / "nova.zip").stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(tmp_path / "nova.zip") as file:
        assert file.namelist() == ["novarc", "pk.pem", "cert.pem", "cacert.pem"]
        signed = x509.load_pem_x509_certificate(file.read("cert.pem"))
        root = x509.load_pem_x509_certificate(file.read("cacert.pem"))
    signed.verify_directly_issued_by(root)
    assert john("project", "zipfile", "john_project", "john", "second.zip").code == 0
    with zipfile.ZipFile(tmp_path / "second.zip") as file:
        assert x509.load_pem_x509_certificate(file.read("cert.pem")) != signed
        assert x509.load_pem_x509_certificate(file.read("cacert.pem")) == root


def test_zipfile_of_https(john: Manage, tmp_path: Path) -> None:
    """The CA that https is verified with is in the zip; if it can't be read that is said."""
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write(f"--s3_scheme=https\n--credential_ssl_ca={tmp_path}/ca.pem\n")
    told = john("project", "zipfile", "john_project", "john")
    assert told.code == 1 and f"can't read {tmp_path}/ca.pem (--credential_ssl_ca)" in told.err
    (tmp_path / "ca.pem").write_bytes(b"the CA")
    assert john("project", "zipfile", "john_project", "john").code == 0
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        assert packed.namelist() == ["novarc", "pk.pem", "cert.pem", "cacert.pem", "ssl-ca.pem"]
        assert packed.read("ssl-ca.pem") == b"the CA"
        assert b'export S3_URL="https://' in packed.read("novarc")


def test_zipfile_regions(john: Manage, tmp_path: Path) -> None:
    """With regions the zip has an rc file for each."""
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write("--region_list=east=e.example.com,west=w.example.com\n")
    assert john("project", "zipfile", "john_project", "john").code == 0
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        assert packed.namelist() == ["eastrc", "westrc", "pk.pem", "cert.pem", "cacert.pem"]
        assert b'export S3_URL="http://w.example.com:3333"\n' in packed.read("westrc")
        assert b'export AWS_DEFAULT_REGION="west"\n' in packed.read("westrc")


def test_links_are_not_followed(john: Manage, tmp_path: Path) -> None:
    """A link that lies where the file is to be is replaced; what it leads to is left alone."""
    (tmp_path / "theirs").write_text("theirs")
    for name in ("novarc", "nova.zip"):
        (tmp_path / name).symlink_to("theirs")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "rc").symlink_to("pipe")
    john("project", "environment", "john_project", "john")
    john("project", "environment", "john_project", "john", "rc")
    john("project", "zipfile", "john_project", "john")
    assert (tmp_path / "theirs").read_text() == "theirs"
    for name in ("novarc", "rc", "nova.zip"):
        found = (tmp_path / name).lstat()
        assert stat.S_ISREG(found.st_mode) and found.st_mode & 0o777 == 0o600


def test_others_pipe(john: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe of somebody else gets no secrets."""
    os.mkfifo(tmp_path / "novarc")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    reader = os.open(tmp_path / "novarc", os.O_RDONLY | os.O_NONBLOCK)
    try:
        told = john("project", "environment", "john_project", "john")
        assert told == Told(1, "", "can't write novarc: it is a pipe of somebody else\n")
    finally:
        os.close(reader)


def test_environment_to_stdout(john: Manage, tmp_path: Path) -> None:
    """/dev/stdout is written to, although it is a link."""
    argv = [sys.executable, "-m", "nova_tx.manage.main", f"--flagfile={tmp_path}/cloud.conf"]
    argv += ["project", "environment", "john_project", "john", "/dev/stdout"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert "export EC2_URL=" in done.stdout


def test_zipfile_without_authority(john: Manage, tmp_path: Path) -> None:
    """If the authority can't be used, Nova's advice follows the reason, and there is no file."""
    (tmp_path / "CA").write_text("a file")
    told = john("project", "zipfile", "john_project", "john")
    assert (told.code, told.out) == (1, "")
    assert told.err.splitlines()[1:] == [
        f"the certificate authority can't use {tmp_path}/CA: File exists",
        "The above error may show that the certificate db has not been created.",
        "Please create a database by running a nova-api server on this host.",
    ]
    assert not (tmp_path / "nova.zip").exists()


def test_zipfile_vpn(john: Manage, tmp_path: Path) -> None:
    """A project whose network has a VPN gets its configuration; looking gives it no network."""
    john("network", "create", "10.100.0.0/22", "4", "256")
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", NO_VPN)
    write(
        tmp_path,
        update(networks)
        .where(networks.c.id == 2)
        .values(project_id="john_project", vpn_public_address="203.0.113.7", vpn_public_port=1001),
    )
    assert john("project", "zipfile", "john_project", "john") == Told(0, "", "")
    with zipfile.ZipFile(tmp_path / "nova.zip") as packed:
        names = ["novarc", "pk.pem", "cert.pem", "nova-vpn.conf", "cacert.pem"]
        assert packed.namelist() == names
        assert b"remote 203.0.113.7 1001\n" in packed.read("nova-vpn.conf")


@pytest.mark.parametrize("what", ["environment", "zipfile"])
def test_credentials_of_nobody(john: Manage, tmp_path: Path, what: str) -> None:
    """Who or what is not there gets no file, and no certificate is made."""
    before = set(os.listdir(tmp_path))
    assert john("project", what, "john_project", "bob").err == 'User "bob" not found\n'
    assert john("project", what, "none", "john").err == 'Project "none" not found\n'
    assert set(os.listdir(tmp_path)) == before
