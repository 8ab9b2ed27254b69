"""A whole cloud whose users are in a real directory: the manual's commands, signed requests."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from nova_tx.manage.main import main
from nova_tx.testing.daemons import Daemons, free_plan, until
from nova_tx.testing.ldap_world import OURS, USERS, directory, entries
from nova_tx.testing.slapd import Slapd

KEYS = ("my-access-key", "a-super-secret-key")


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """The directory."""
    with directory(tmp_path_factory.mktemp("ldap") / "d") as server:
        yield server


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, slapd: Slapd) -> Iterator[Daemons]:
    """The daemons, as the flags in the manual have them."""
    made = Daemons(
        tmp_path_factory.mktemp("cloud") / "c",
        "--auth_driver=nova.auth.ldapdriver.LdapDriver",
        f"--ldap_url={slapd.url}",
        "--ldap_user_dn=cn=nova,dc=example,dc=com",
        f"--ldap_password={OURS}",
    )
    try:
        made.up(free_plan(made.directory))
        yield made
    finally:
        made.close()


def manage(cloud: Daemons, *words: str) -> int:
    """nova-manage of that cloud."""
    return main(["nova-manage", f"--flagfile={cloud.flagfile}", *words])


def client(cloud: Daemons, project: str) -> Any:
    """boto3 with john's keys, in a project."""
    session = boto3.session.Session(f"{KEYS[0]}:{project}", KEYS[1], region_name="nova")
    config = Config(retries={"total_max_attempts": 1})
    return session.client("ec2", endpoint_url=cloud.environment["EC2_URL"], config=config)


def code(asked: Any, **how: Any) -> str:
    """The error that a request ends with; empty if it is answered."""
    try:
        asked(**how)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_as_the_manual_says(
    cloud: Daemons, slapd: Slapd, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """john gets his project, both his roles, his zip; then he runs an instance, and not before."""
    assert manage(cloud, "user", "create", "john", *KEYS) == 0
    assert capsys.readouterr().out == (
        "export EC2_ACCESS_KEY=my-access-key\nexport EC2_SECRET_KEY=a-super-secret-key\n"
    )
    assert manage(cloud, "project", "create", "john_project", "admin") == 0
    assert manage(cloud, "project", "add", "john_project", "john") == 0
    image = cloud.publish("images", "tiny", b"a disk" * 1000)
    until(lambda: cloud.image_state(image) == "available", "the image")
    cloud.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
    john = client(cloud, "john_project")
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "m1.tiny"}
    assert john.describe_instances()["Reservations"] == []
    for role in ((), ("john", "sysadmin"), ("john", "sysadmin", "john_project")):
        assert code(john.run_instances, **run) == "UnauthorizedOperation"
        assert not role or manage(cloud, "role", "add", *role) == 0
        assert manage(cloud, "role", "has", "john", "sysadmin", "john_project") == 0
    assert capsys.readouterr().out == "False\nFalse\nTrue\n"
    assert code(john.run_instances, **run) == ""
    [reservation] = john.describe_instances()["Reservations"]
    assert reservation["Instances"][0]["ImageId"] == image
    archive = tmp_path / "john.zip"
    assert manage(cloud, "project", "zipfile", "john_project", "john", str(archive)) == 0
    with zipfile.ZipFile(archive) as members:
        assert b"my-access-key:john_project" in members.read("novarc")
    for words in (
        ("user", "list"),
        ("project", "list"),
    ):
        assert manage(cloud, *words) == 0
    assert capsys.readouterr().out == "admin\njohn\nadmin\njohn_project\n"
    assert entries(slapd)[f"uid=john,{USERS}"]["accessKey"] == ["my-access-key"]
    john.close()


def test_wrong_keys(cloud: Daemons) -> None:
    """Neither a pattern nor another secret is anybody's key."""
    for access, secret in (("*", KEYS[1]), ("admin", "x"), ("my-access-key", "x")):
        session = boto3.session.Session(access, secret, region_name="nova")
        ec2 = session.client(
            "ec2",
            endpoint_url=cloud.environment["EC2_URL"],
            config=Config(retries={"total_max_attempts": 1}),
        )
        assert code(ec2.describe_instances) in ("AuthFailure", "SignatureDoesNotMatch")
        ec2.close()


def test_away(cloud: Daemons, slapd: Slapd) -> None:
    """While the directory is away requests are Unavailable, 503; then they are answered again."""
    slapd.stop()
    try:
        until(lambda: code(cloud.ec2.describe_instances) == "Unavailable", "the refusal")
    finally:
        slapd.start()
    until(lambda: not code(cloud.ec2.describe_instances), "an answer")
    assert "a-super-secret-key" not in "".join(map(cloud.log, cloud.names))
    assert OURS not in "".join(map(cloud.log, cloud.names))
