"""Certificates that are revoked, by word and by deletion."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from nova_tx.testing.manage import Manage, Told


def revoked(directory: Path) -> list[int]:
    """The serial numbers on an authority's list."""
    crl = x509.load_pem_x509_crl((directory / "crl.pem").read_bytes())
    return [each.serial_number for each in crl]


def test_user_revoke(john: Manage, tmp_path: Path) -> None:
    """A user's certificates are revoked in all projects or in one, silently; its keys stay."""
    john("project", "create", "bank", "john")
    john("user", "create", "ann")
    for project, user in (("john_project", "john"), ("bank", "john"), ("bank", "ann")):
        john("project", "zipfile", project, user)
    assert john("user", "revoke", "john", "bank") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x11]
    assert john("user", "revoke", "john") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10, 0x11]
    assert john("user", "exports", "john").code == 0


@pytest.mark.parametrize(
    ("flag", "file"),
    [
        ("--credentials_template=/no/such/file", "nova.zip"),
        ("--region_list=nonsense", "nova.zip"),
        ("--verbose", "/no/such/place"),
    ],
)
def test_no_zip_no_certificate(john: Manage, tmp_path: Path, flag: str, file: str) -> None:
    """What can't be written down was never issued."""
    told = john(flag, "project", "zipfile", "john_project", "john", file)
    assert (told.code, told.out) == (1, "") and not (tmp_path / "nova.zip").exists()
    assert not (tmp_path / "CA").exists()
    assert john("user", "revoke", "john").out == "User john has no certificates\n"


def test_user_revoke_nothing(john: Manage) -> None:
    """Who has no certificate is told of, and so is who is not there."""
    told = john("user", "revoke", "john")
    assert told == Told(0, "User john has no certificates\n", "")
    told = john("user", "revoke", "john", "john_project")
    assert told == Told(0, "User john has no certificates for project john_project\n", "")
    assert john("user", "revoke", "zed") == Told(1, "", 'User "zed" not found\n')
    assert john("user", "revoke", "john", "zed") == Told(1, "", 'Project "zed" not found\n')


def test_user_revoke_elsewhere(john: Manage, tmp_path: Path) -> None:
    """On a host without the authority it is said that there is none, and none is made there."""
    john("project", "zipfile", "john_project", "john")
    (tmp_path / "CA").rename(tmp_path / "elsewhere")
    said = f"there is no certificate authority in {tmp_path}/CA\n"
    for words in (["user", "revoke", "john"], ["certificate", "refresh"]):
        assert john(*words) == Told(1, "", said)
    assert not (tmp_path / "CA").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "CA")
    assert revoked(tmp_path / "CA") == []
    assert john("certificate", "refresh") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10]


def test_what_is_deleted_is_revoked(john: Manage, tmp_path: Path) -> None:
    """A user's deletion, a member's removal and a project's deletion revoke certificates."""
    for name in ("ann", "bob"):
        john("user", "create", name)
        john("project", "add", "john_project", name)
        john("project", "zipfile", "john_project", name)
    john("project", "zipfile", "john_project", "john")
    for words, expected in (
        (["user", "delete", "ann"], [0x10]),
        (["project", "remove", "john_project", "bob"], [0x10, 0x11]),
        (["project", "delete", "john_project"], [0x10, 0x11, 0x12]),
    ):
        assert john(*words) == Told(0, "", "")
        assert revoked(tmp_path / "CA") == expected


def test_deleted_elsewhere(john: Manage, tmp_path: Path) -> None:
    """A user goes on a host without the authority, and the operator is told what is left to do."""
    john("user", "create", "ann")
    john("project", "zipfile", "john_project", "ann")
    (tmp_path / "CA").rename(tmp_path / "elsewhere")
    told = john("user", "delete", "ann")
    assert told.code == 1
    assert told.err.splitlines() == [
        f"there is no certificate authority in {tmp_path}/CA",
        "It is done, but the list of revoked certificates is to be completed by"
        " 'nova-manage certificate refresh' on the host that has it",
    ]
    assert john("user", "list").out == "john\n"


def test_certificate_revoke(john: Manage, tmp_path: Path) -> None:
    """A project's certificates are revoked, by its own authority if it has one."""
    assert john("certificate", "revoke", "john_project") == Told(
        0, "Project john_project has no certificates\n", ""
    )
    assert john("certificate", "revoke", "zed") == Told(1, "", 'Project "zed" not found\n')
    john("project", "zipfile", "john_project", "john")
    with open(tmp_path / "cloud.conf", "a") as file:
        file.write("--use_project_ca\n")
    john("project", "zipfile", "john_project", "john")
    assert john("certificate", "revoke", "john_project") == Told(0, "", "")
    assert revoked(tmp_path / "CA") == [0x10]
    assert revoked(tmp_path / "CA" / "projects" / "john_project") == [0x10]
