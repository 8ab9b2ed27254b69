"""The admin API: users, projects, roles, hosts; for superusers, as their client of 2011 asks."""

from __future__ import annotations

import base64
import io
import xml.sax
import zipfile
from pathlib import Path
from typing import Any

import pytest
from boto.handler import XmlHandler
from boto.resultset import ResultSet
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

import nova_tx.api.ec2.admin
from nova_tx.api.ec2.action import actions
from nova_tx.db import certificates, services
from nova_tx.db.engine import Database
from nova_tx.model.users import User
from nova_tx.testing.ec2 import Answered, Door, inline

ADMIN = "/services/Admin"
JOE = {"username": "joe", "secretkey": "secret-of-joe", "accesskey": "joe", "file": None}


def ask(door: Door, user: User, action: str, **parameters: str) -> Answered:
    """As NovaAdminClient asks: C{Version} is C{nova}."""
    return door.ask(user, action, parameters, "nova", path=ADMIN)


def told(answer: Answered) -> Any:
    """An answer as plain data: elements by name, C{<item>}s as lists."""
    assert answer.status == 200, answer.body

    def plain(element: Any) -> Any:
        children = list(element)
        if not children:
            return element.text
        if {each.tag.rpartition("}")[2] for each in children} == {"item"}:
            return [plain(each) for each in children]
        return {each.tag.rpartition("}")[2]: plain(each) for each in children}

    found = plain(answer.xml)
    assert len(found.pop("requestId")) == 20
    return found


def test_superusers_only(door: Door, joe: User) -> None:
    """Each of the 18 actions is refused to whoever is no superuser, itsec among them."""
    names = set(actions(door.operations, nova_tx.api.ec2.admin))
    assert len(names) == 18
    inline(door.users.add_role("joe", "itsec", None))
    for name in names:
        answer = ask(door, joe, name)
        assert (answer.status, answer.code) == (403, "UnauthorizedOperation")
    inline(door.users.add_role("joe", "cloudadmin", None))
    assert ask(door, joe, "DescribeUsers").status == 200


def test_two_doors(door: Door, admin: User) -> None:
    """What is done at one door is not done at the other; a request for the one is none there."""
    assert ask(door, admin, "RunInstances").code == "InvalidAction"
    assert door.ask(admin, "DescribeUsers").code == "InvalidAction"
    types = told(ask(door, admin, "DescribeInstanceTypes"))["instanceTypeSet"]
    assert {"memoryMb": "512", "vcpus": "1", "name": "m1.tiny", "diskGb": "0", "flavorId": "1"} in (
        types
    )


def test_users(door: Door, admin: User, joe: User) -> None:
    """Users are shown with their keys, made with random ones, and go."""
    assert told(ask(door, admin, "DescribeUser", Name="joe")) == JOE
    made = told(ask(door, admin, "RegisterUser", Name="zed"))
    assert {len(made["accesskey"]), len(made["secretkey"])} == {36}
    assert made["accesskey"] != made["secretkey"]
    assert told(ask(door, admin, "DescribeUser", Name="zed")) == made
    shown = told(ask(door, admin, "DescribeUsers"))["userSet"]
    assert [each["username"] for each in shown] == ["admin", "joe", "zed"] and JOE in shown
    assert told(ask(door, admin, "DeregisterUser", Name="zed")) == {"return": "true"}
    gone = ask(door, admin, "DescribeUser", Name="zed")
    assert (gone.status, gone.code) == (400, "UserNotFound")


def test_projects(door: Door, admin: User, joe: User, eve: User) -> None:
    """A project begins with its description and members; its manager and description change."""
    made = told(
        ask(
            *(door, admin, "RegisterProject"),
            **{"Name": "shop", "ManagerUser": "joe", "Description": "a shop"},
            **{"MemberUsers.1": "eve", "MemberUsers.2": "admin"},
        )
    )
    assert made == {"projectname": "shop", "projectManagerId": "joe", "description": "a shop"}
    members = told(ask(door, admin, "DescribeProjectMembers", Name="shop"))["members"]
    assert members == [{"member": "admin"}, {"member": "eve"}, {"member": "joe"}]
    told(ask(door, admin, "ModifyProject", Name="shop", ManagerUser="eve", Description="None"))
    told(ask(door, admin, "ModifyProject", Name="shop", Description="the shop"))
    assert told(ask(door, admin, "DescribeProject", Name="shop")) == {
        "projectname": "shop",
        "projectManagerId": "eve",
        "description": "the shop",
    }
    of_joe = told(ask(door, admin, "DescribeProjects", User="joe"))["projectSet"]
    assert [each["projectname"] for each in of_joe] == ["joe", "shop"]
    for operation, count in (("remove", 2), ("add", 3)):
        ask(
            *(door, admin, "ModifyProjectMember"),
            **{"User": "joe", "Project": "shop", "Operation": operation},
        )
        members = told(ask(door, admin, "DescribeProjectMembers", Name="shop"))["members"]
        assert len(members) == count
    assert told(ask(door, admin, "DeregisterProject", Name="shop")) == {"return": "true"}
    assert len(told(ask(door, admin, "DescribeProjects"))["projectSet"]) == 3


@pytest.mark.parametrize(
    ("printed", "members"),
    [
        ("None", {"joe"}),
        ("[]", {"joe"}),
        ("eve", {"joe", "eve"}),
        ("['eve']", {"joe", "eve"}),
        ("[u'eve', \"admin\"]", {"joe", "eve", "admin"}),
    ],
)
def test_members_as_printed(
    door: Door, admin: User, joe: User, eve: User, printed: str, members: set[str]
) -> None:
    """Nova's client prints its list into one parameter, and None for no list."""
    given = {"Name": "shop", "ManagerUser": "joe", "Description": "None", "MemberUsers": printed}
    made = told(ask(door, admin, "RegisterProject", **given))
    assert made["description"] == "shop"
    assert inline(door.users.project("shop")).members == members


def test_a_project_that_has_something(door: Door, admin: User, joe: User) -> None:
    """A project with instances does not go, nor does a user who manages one."""
    door.ask(joe, "RunInstances", {"ImageId": "ami-tiny"})
    refused = ask(door, admin, "DeregisterProject", Name="joe")
    assert (refused.status, refused.code) == (400, "DependencyViolation")
    assert "1 instance" in (refused.xml.findtext(".//Message") or "")
    assert ask(door, admin, "DeregisterUser", Name="joe").code == "DependencyViolation"
    assert inline(door.users.find("joe", "joe")).member


def test_roles(door: Door, admin: User, joe: User) -> None:
    """Roles are listed, given and taken back, in the cloud and in a project."""
    in_projects = told(ask(door, admin, "DescribeRoles"))["roles"]
    assert [each["role"] for each in in_projects] == ["sysadmin", "netadmin", "developer"]
    assert told(ask(door, admin, "DescribeRoles", ProjectRoles="True"))["roles"] == in_projects
    everywhere = told(ask(door, admin, "DescribeRoles", ProjectRoles="False"))["roles"]
    assert [each["role"] for each in everywhere][:2] == ["cloudadmin", "itsec"]
    for where in ("None", "joe"):
        for role in ("sysadmin", "netadmin"):
            told(ask(door, admin, "ModifyUserRole", User="joe", Role=role, Project=where))
    told(
        ask(
            *(door, admin, "ModifyUserRole"),
            **{"User": "joe", "Role": "sysadmin", "Project": "joe", "Operation": "remove"},
        )
    )
    site = told(ask(door, admin, "DescribeUserRoles", User="joe"))["roles"]
    local = told(ask(door, admin, "DescribeUserRoles", User="joe", Project="joe"))["roles"]
    assert site == [{"role": "netadmin"}, {"role": "sysadmin"}]
    assert local == [{"role": "netadmin"}]


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("DescribeUser", {}, "MissingParameter"),
        ("DescribeUser", {"Name": "zed"}, "UserNotFound"),
        ("DescribeUser", {"Name": "zed", "Secret": "x"}, "UnknownParameter"),
        ("RegisterUser", {"Name": "joe"}, "InvalidParameterValue"),
        ("RegisterUser", {"Name": "a:b"}, "InvalidParameterValue"),
        ("DeregisterUser", {"Name": "zed"}, "UserNotFound"),
        ("DescribeProject", {"Name": "zed"}, "ProjectNotFound"),
        ("DescribeProjects", {"User": "zed"}, "UserNotFound"),
        ("DescribeProjectMembers", {"Name": "zed"}, "ProjectNotFound"),
        ("RegisterProject", {"Name": "shop"}, "MissingParameter"),
        ("RegisterProject", {"Name": "shop", "ManagerUser": "zed"}, "UserNotFound"),
        ("RegisterProject", {"Name": "joe", "ManagerUser": "joe"}, "InvalidParameterValue"),
        (
            "RegisterProject",
            {"Name": "shop", "ManagerUser": "joe", "MemberUsers": "zed"},
            "UserNotFound",
        ),
        (
            "RegisterProject",
            {"Name": "shop", "ManagerUser": "joe", "MemberUsers": "['jo\x00e']"},
            "InvalidParameterValue",
        ),
        ("ModifyProject", {"Name": "joe", "ManagerUser": "zed"}, "UserNotFound"),
        ("ModifyProject", {"Name": "zed"}, "ProjectNotFound"),
        ("DeregisterProject", {"Name": "zed"}, "ProjectNotFound"),
        ("ModifyProjectMember", {"User": "joe", "Project": "joe"}, "MissingParameter"),
        (
            "ModifyProjectMember",
            {"User": "joe", "Project": "joe", "Operation": "remove"},
            "DependencyViolation",
        ),
        (
            "ModifyProjectMember",
            {"User": "joe", "Project": "joe", "Operation": "move"},
            "InvalidParameterValue",
        ),
        ("DescribeRoles", {"ProjectRoles": "maybe"}, "InvalidParameterValue"),
        ("DescribeUserRoles", {"User": "joe", "Project": "zed"}, "ProjectNotFound"),
        ("ModifyUserRole", {"User": "joe", "Role": "king"}, "RoleNotFound"),
        ("ModifyUserRole", {"User": "joe", "Role": "itsec", "Project": "joe"}, "RoleNotFound"),
        ("ModifyUserRole", {"User": "zed", "Role": "sysadmin"}, "UserNotFound"),
        ("GenerateX509ForUser", {"Name": "zed"}, "UserNotFound"),
        ("GenerateX509ForUser", {"Name": "joe", "Project": "zed"}, "ProjectNotFound"),
        ("DescribeHost", {"Name": "HostZ"}, "InvalidParameterValue"),
    ],
)
def test_refused(
    door: Door, admin: User, joe: User, action: str, parameters: dict[str, str], code: str
) -> None:
    """What can't be done is refused with a code and a sentence, and changes nothing."""
    before = inline(door.users.users()), inline(door.users.projects())
    answer = ask(door, admin, action, **parameters)
    assert (answer.status, answer.code) == (400, code)
    assert len(answer.xml.findtext(".//Message") or "") > 10
    assert (inline(door.users.users()), inline(door.users.projects())) == before


class Parsed:
    """What boto's SAX parser leaves of an item, as NovaAdminClient has it: the last value wins."""

    def __init__(self, connection: object = None) -> None:
        self.connection = connection

    def startElement(self, name: str, attributes: object, connection: object) -> None:
        return None

    def endElement(self, name: str, value: str, connection: object) -> None:
        setattr(self, name, value)


def test_hosts(door: Door, admin: User, joe: User) -> None:
    """Hosts are listed with their workers' health and what is on them, as boto parses items."""
    for host, binary in (("HostB", "nova-compute"), ("HostA", "nova-network")):
        inline(door.database.run(services.report, host, binary, "topic", "nova", True))
    run = {"ImageId": "ami-tiny", "MinCount": "3"}
    door.ask(joe, "RunInstances", run)
    with door.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE instances SET host = 'HostB' WHERE id < 3")
    found = ResultSet([("item", Parsed)])
    xml.sax.parseString(ask(door, admin, "DescribeHosts").body, XmlHandler(found, None))
    first, second = (
        {name: value for name, value in vars(each).items() if name not in ("connection", "item")}
        for each in found
    )
    assert first == {"hostname": "HostA", "instanceCount": "0", "volumeCount": "0"}
    assert (second["hostname"], second["compute"], second["instanceCount"]) == ("HostB", "up", "2")
    assert told(ask(door, admin, "DescribeHost", Name="HostB"))["instanceCount"] == "2"


def test_a_silent_host(database: Database) -> None:
    """A host whose compute worker is not heard of is down."""
    door = Door(database, "--service_down_time=0")
    admin = door.add_user("admin", is_admin=True)
    inline(database.run(services.report, "HostB", "nova-compute", "compute", "nova", True))
    assert told(ask(door, admin, "DescribeHosts"))["hosts"][0]["compute"] == "down"


def test_credentials(database: Database, tmp_path: Path) -> None:
    """The zip has settings for the project, a new key and its certificate, and the root's."""
    door = Door(database, f"--ca_path={tmp_path}/CA")
    admin, joe = door.add_user("admin", is_admin=True), door.add_user("joe")
    inline(door.users.create_project("shop", "joe", None))
    lines: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        lines.append(f"{formatEvent(event)} {event}")

    globalLogPublisher.addObserver(observe)
    try:
        said = told(ask(door, admin, "GenerateX509ForUser", Name="joe", Project="shop"))
    finally:
        globalLogPublisher.removeObserver(observe)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(said["file"]))) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    assert set(files) == {"novarc", "pk.pem", "cert.pem", "cacert.pem"}
    assert b'export EC2_ACCESS_KEY="joe:shop"\n' in files["novarc"]
    key = serialization.load_pem_private_key(files["pk.pem"], None)
    certificate, root = (
        x509.load_pem_x509_certificate(files[name]) for name in ("cert.pem", "cacert.pem")
    )
    assert certificate.public_key() == key.public_key()
    certificate.verify_directly_issued_by(root)
    assert len(inline(database.read(certificates.known, "joe", "shop")).valid) == 1
    text = "\n".join(lines)
    assert "GenerateX509ForUser" in text
    assert joe.secret_key not in text and said["file"][:40] not in text


def test_credentials_for_https(database: Database, tmp_path: Path) -> None:
    """The zip has the CA that https is verified with."""
    (tmp_path / "ca.pem").write_bytes(b"the CA")
    door = Door(database, f"--ca_path={tmp_path}/CA", f"--credential_ssl_ca={tmp_path}/ca.pem")
    admin = door.add_user("admin", is_admin=True)
    door.add_user("joe")
    inline(door.users.create_project("shop", "joe", None))
    said = told(ask(door, admin, "GenerateX509ForUser", Name="joe", Project="shop"))
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(said["file"]))) as packed:
        assert packed.read("ssl-ca.pem") == b"the CA"


def test_no_credentials_no_certificate(database: Database, tmp_path: Path) -> None:
    """A zip that can't be made leaves no certificate whose key nobody has."""
    door = Door(database, f"--ca_path={tmp_path}/CA", "--credentials_template=/no/such/file")
    admin = door.add_user("admin", is_admin=True)
    answer = ask(door, admin, "GenerateX509ForUser", Name="admin", Project="admin")
    assert answer.status != 200
    assert not inline(database.read(certificates.known, "admin", "admin")).valid


def test_credentials_again(database: Database, tmp_path: Path) -> None:
    """Each zip has a new key; without a project it is for the one named as the user."""
    door = Door(database, f"--ca_path={tmp_path}/CA")
    admin = door.add_user("admin", is_admin=True)
    first, second = (
        told(ask(door, admin, "GenerateX509ForUser", Name="admin", Project=project))["file"]
        for project in ("None", "admin")
    )
    assert first != second
    assert len(inline(database.read(certificates.known, "admin", "admin")).valid) == 2


def test_what_is_deregistered_is_revoked(database: Database, tmp_path: Path) -> None:
    """A user's end, a membership's and a project's revoke the certificates for it."""
    door = Door(database, f"--ca_path={tmp_path}/CA")
    admin = door.add_user("admin", is_admin=True)
    for name in ("joe", "ann", "bob"):
        door.add_user(name)
    inline(door.users.create_project("shop", "joe", None, ("ann", "bob")))
    for name in ("joe", "ann", "bob"):
        told(ask(door, admin, "GenerateX509ForUser", Name=name, Project="shop"))
    told(ask(door, admin, "DeregisterProject", Name="ann"))
    for action, parameters, expected in (
        ("DeregisterUser", {"Name": "ann"}, [0x11]),
        (
            "ModifyProjectMember",
            {"User": "bob", "Project": "shop", "Operation": "remove"},
            [0x11, 0x12],
        ),
        ("DeregisterProject", {"Name": "shop"}, [0x10, 0x11, 0x12]),
    ):
        told(ask(door, admin, action, **parameters))
        crl = x509.load_pem_x509_crl((tmp_path / "CA" / "crl.pem").read_bytes())
        assert [each.serial_number for each in crl] == expected


def test_authority_away(database: Database, tmp_path: Path, logged_errors: Any) -> None:
    """A user goes although the authority is not there; its row is revoked, and it is logged."""
    door = Door(database, f"--ca_path={tmp_path}/CA")
    admin = door.add_user("admin", is_admin=True)
    door.add_user("joe")
    told(ask(door, admin, "DeregisterProject", Name="joe"))
    told(ask(door, admin, "GenerateX509ForUser", Name="joe", Project="admin"))
    (tmp_path / "CA").rename(tmp_path / "elsewhere")
    told(ask(door, admin, "DeregisterUser", Name="joe"))
    [error] = logged_errors.flush()
    assert "no certificate authority" in error and "nova-manage certificate refresh" in error
    assert len(inline(database.read(certificates.known, "joe", "admin")).revoked) == 1
    assert "joe" not in [each.id for each in inline(door.users.users())]
