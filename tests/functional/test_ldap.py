"""Users in a real LDAP directory: OpenLDAP's slapd, set up by the commands of docs/ldap.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import ldap
import pytest

from nova_tx.auth.ldap import LdapUsers
from nova_tx.db.engine import Database
from nova_tx.errors import Duplicate, InvalidInput, ProjectNotFound, RoleNotFound, UserNotFound
from nova_tx.testing.conformance.users import make_users_tests
from nova_tx.testing.ldap_world import (
    GROUPS,
    SET_UP,
    USERS,
    a_person,
    add,
    directory,
    empty,
    entries,
    flags,
)
from nova_tx.testing.slapd import SUFFIX, Slapd

#: Persons whom the suite makes users of where entries are not ours to make.
PERSONS = ("joe", "ann", "eve", "new", "bob")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A directory of the schema's version 2."""
    with directory(tmp_path_factory.mktemp("ldap") / "d") as server:
        yield server


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A directory of the schema's version 1."""
    with directory(tmp_path_factory.mktemp("ldap") / "d", "nova-1.ldif") as server:
        yield server


class _Suite(make_users_tests(LdapUsers)):  # type: ignore[misc]
    """The suite of IUsers on slapd."""

    __test__ = False
    others: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def _prepare(self, database: Database, server: Slapd) -> Iterator[None]:
        self._made: list[Any] = []
        self._database, self._slapd = database, server
        empty(server)
        yield
        for users in self._made:
            users._server._disconnect()

    def make(self) -> LdapUsers:
        users = LdapUsers(flags(self._slapd, **self.others), self._database, None, inline=True)
        self._made.append(users)
        return users


class TestLdapUsers(_Suite):
    """Schema version 2."""

    __test__ = True

    @pytest.fixture
    def server(self, newer: Slapd) -> Slapd:
        return newer

    async def test_entries(self) -> None:
        """Users, projects and roles are the entries that Nova made."""
        users = await self._cloud()
        await users.modify_user("joe", None, None, True)
        await users.add_role("ann", "netadmin", None)
        await users.add_role("ann", "netadmin", "shop")
        found = entries(self._slapd)
        assert found[f"uid=joe,{USERS}"] == {
            "objectClass": ["person", "organizationalPerson", "inetOrgPerson", "novaUser"],
            "ou": ["Users"],
            "uid": ["joe"],
            "sn": ["joe"],
            "cn": ["joe"],
            "accessKey": ["joe-access"],
            "secretKey": ["joe-secret"],
            "isNovaAdmin": ["TRUE"],
        }
        assert found[f"uid=ann,{USERS}"]["isNovaAdmin"] == ["FALSE"]
        assert found[f"cn=shop,{GROUPS}"] == {
            "objectClass": ["groupOfNames"],
            "cn": ["shop"],
            "description": ["shop"],
            "owner": [f"uid=joe,{USERS}"],
            "member": [f"uid=joe,{USERS}", f"uid=ann,{USERS}"],
        }
        assert found[f"cn=netadmin,cn=shop,{GROUPS}"] == {
            "objectClass": ["groupOfNames"],
            "cn": ["netadmin"],
            "description": ["netadmin role for shop"],
            "member": [f"uid=ann,{USERS}"],
        }
        assert found[f"cn=netadmins,{GROUPS}"]["member"] == [f"uid=ann,{USERS}"]

    async def test_last_member(self) -> None:
        """The group of a role goes with its last member, by whichever way it leaves."""
        users = await self._cloud()
        await users.add_member("eve", "shop")
        for name in ("ann", "eve"):
            for project in (None, "shop"):
                await users.add_role(name, "netadmin", project)
        groups = (f"cn=netadmins,{GROUPS}", f"cn=netadmin,cn=shop,{GROUPS}")
        await users.delete_user("eve")
        assert set(groups) <= set(entries(self._slapd, GROUPS))
        await users.remove_role("ann", "netadmin", None)
        await users.remove_member("ann", "shop")
        assert set(entries(self._slapd, GROUPS)) == {GROUPS, f"cn=shop,{GROUPS}"}

    async def test_delete_leaves_nothing(self) -> None:
        """Users and projects that are deleted leave no entry."""
        users = await self._cloud()
        await users.add_role("ann", "netadmin", "shop")
        await users.delete_project("shop")
        for name in ("joe", "ann", "eve"):
            await users.delete_user(name)
        assert set(entries(self._slapd)) == SET_UP

    @pytest.mark.parametrize(
        "hostile",
        [
            "*",
            "joe*",
            "*)(uid=*",
            "joe-access)(objectClass=*",
            "joe)(|(uid=*",
            "joe\0",
            "joe\\2a",
            f"joe,{USERS}",
            "joe+cn=x",
            " joe",
            "joe ",
            "j\xf6e",
            "\ud800",
            "",
            "#joe",
        ],
    )
    async def test_hostile(self, hostile: str) -> None:
        """No name or key finds what is not called so, or reaches an entry that is not asked for."""
        users = await self._cloud()
        before = entries(self._slapd)
        for asked in (
            users.find(hostile, "shop"),
            users.user(hostile),
            users.delete_user(hostile),
            users.modify_user(hostile, None, "new-secret", True),
            users.add_member(hostile, "shop"),
            users.add_role(hostile, "netadmin", None),
            users.create_project("new", hostile, None),
        ):
            with pytest.raises(UserNotFound):
                await asked
        for asked in (
            users.find("joe-access", hostile),
            users.project(hostile),
            users.delete_project(hostile),
            users.add_member("joe", hostile),
            users.remove_role("joe", "netadmin", hostile),
        ):
            with pytest.raises(ProjectNotFound):
                await asked
        await users.remove_role("joe", hostile or "x", "shop")
        assert entries(self._slapd) == before

    async def test_odd_names(self) -> None:
        """Names with all the signs that names may have are kept as they are."""
        users: Any = self.make()
        name = "+a.b_c@D-9+"
        await users.create_user(name, "+key@x", "(s*e\\c,r=e#t)", False)
        await users.create_project(name, name, "a, (strange) *text*\\ with + \xfc")
        await users.add_role(name, "netadmin", name)
        found = await users.find("+key@x", name)
        assert (found.user.id, found.user.secret_key) == (name, "(s*e\\c,r=e#t)")
        assert (found.project.id, found.project.manager, found.member) == (name, name, True)
        assert found.project.description == "a, (strange) *text*\\ with + \xfc"
        assert found.project_roles == {"netadmin"}
        assert [each.id for each in await users.users()] == [name]
        await users.delete_project(name)
        await users.delete_user(name)

    async def test_no_description(self) -> None:
        """A project may have no description at all."""
        users = await self._cloud()
        assert (await users.modify_project("shop", None, "")).description == ""
        assert (await users.create_project("mine", "ann", "")).description == ""
        assert (await users.project("mine")).description == ""

    async def test_role_is_no_project(self) -> None:
        """No project takes the name of a role's group: its members would have the role."""
        users = await self._cloud()
        for name in ("cloudadmins", "CloudAdmins", "netadmins"):
            with pytest.raises(InvalidInput, match="is that of a role's group in the directory"):
                await users.create_project(name, "joe", None)
        assert (await users.user("joe")).roles == frozenset()
        with pytest.raises(RoleNotFound, match="The chef role has no group in the directory"):
            await users.add_role("joe", "chef", None)

    async def test_where_they_are(self) -> None:
        """An entry that is there is used, wherever it is and whatever its name is made of."""
        users = await self._cloud()
        add(self._slapd, f"ou=sales,{USERS}", objectClass="organizationalUnit", ou="sales")
        add(
            self._slapd,
            f"cn=Sue Doe,ou=sales,{USERS}",
            objectClass=["inetOrgPerson", "novaUser"],
            uid="sue",
            cn="Sue Doe",
            sn="Doe",
            accessKey="sue-access",
            secretKey="sue-secret",
            isNovaAdmin="FALSE",
        )
        await users.add_member("sue", "shop")
        await users.add_role("sue", "sysadmin", "shop")
        found = await users.find("sue-access", "shop")
        assert (found.user.id, found.member, found.project_roles) == ("sue", True, {"sysadmin"})
        assert found.project.members == {"joe", "ann", "sue"}
        await users.modify_project("shop", "sue", None)
        assert (await users.project("shop")).manager == "sue"

    async def test_project_elsewhere(self) -> None:
        """A project that is there is used wherever it is, and there is no second one beside it."""
        users = await self._cloud()
        add(self._slapd, f"ou=old,{GROUPS}", objectClass="organizationalUnit", ou="old")
        joe, dn = f"uid=joe,{USERS}", f"cn=bank,ou=old,{GROUPS}"
        add(self._slapd, dn, objectClass="groupOfNames", owner=joe, member=joe)
        await users.add_member("ann", "bank")
        await users.add_role("ann", "netadmin", "bank")
        assert (await users.find("ann-access", "bank")).project_roles == {"netadmin"}
        with pytest.raises(Duplicate, match="because project bank already exists"):
            await users.create_project("bank", "ann", None)
        await users.delete_project("bank")
        assert set(entries(self._slapd, f"ou=old,{GROUPS}")) == {f"ou=old,{GROUPS}"}

    async def test_strangers(self) -> None:
        """Who is not among the users is nobody: in a project, in a role, and by another's name."""
        users = await self._cloud()
        stranger = f"uid=eve,{SUFFIX}"
        a_person(self._slapd, "eve", stranger)
        with_stranger = self._slapd.connection()
        with_stranger.modify_s(f"cn=shop,{GROUPS}", [(ldap.MOD_ADD, "member", [stranger.encode()])])
        with_stranger.unbind_s()
        members = [stranger]
        add(self._slapd, f"cn=cloudadmins,{GROUPS}", objectClass="groupOfNames", member=members)
        assert (await users.project("shop")).members == {"joe", "ann"}
        assert not (await users.find("eve-access", "shop")).member
        assert (await users.user("eve")).roles == frozenset()
        assert {each.id: each.roles for each in await users.users()}["eve"] == frozenset()

    async def test_no_user_without_all(self) -> None:
        """A person who lacks one of Nova's three attributes is no user."""
        users = await self._cloud()
        a_person(self._slapd, "pat")
        lacking = {"accessKey": "pat-access", "secretKey": "pat-secret", "isNovaAdmin": "FALSE"}
        for left_out in lacking:
            add(
                self._slapd,
                f"uid=no{left_out},{USERS}",
                objectClass=["inetOrgPerson", "novaUser"],
                cn="x",
                sn="x",
                **{name: f"{value}" for name, value in lacking.items() if name != left_out}
                | ({"accessKey": f"of-{left_out}"} if left_out != "accessKey" else {}),
            )
        assert [each.id for each in await users.users()] == ["ann", "eve", "joe"]
        for access_key in ("of-secretKey", "of-isNovaAdmin"):
            with pytest.raises(UserNotFound):
                await users.find(access_key, "shop")
        with pytest.raises(UserNotFound):
            await users.user("pat")

    async def test_case(self) -> None:
        """The directory ignores case: another user's key or name in other letters is refused."""
        users = await self._cloud()
        for name, key in (("JOE", "other-access"), ("other", "JOE-ACCESS")):
            with pytest.raises(Duplicate):
                await users.create_user(name, key, None, False)
        assert (await users.find("joe-access", "shop")).user.id == "joe"

    async def test_secrets_are_hidden(self) -> None:
        """Set up as the manual says, secrets are seen by nobody but Nova and the administrator."""
        await self._cloud()
        anybody = ldap.initialize(self._slapd.url)
        found = dict(anybody.search_s(f"uid=joe,{USERS}", ldap.SCOPE_BASE))
        assert found[f"uid=joe,{USERS}"]["accessKey"] == [b"joe-access"]
        assert "secretKey" not in found[f"uid=joe,{USERS}"]
        assert anybody.search_s(USERS, ldap.SCOPE_SUBTREE, "(secretKey=joe-secret)") == []
        anybody.unbind_s()


class TestOldLdapUsers(_Suite):
    """Schema version 1."""

    __test__ = True
    others: ClassVar[dict[str, Any]] = {"ldap_schema_version": 1}

    @pytest.fixture
    def server(self, older: Slapd) -> Slapd:
        return older

    async def test_entries(self) -> None:
        """Administrators, managers and projects are called as they were."""
        users = await self._cloud()
        await users.modify_user("joe", None, None, True)
        found = entries(self._slapd)
        assert found[f"uid=joe,{USERS}"]["isAdmin"] == ["TRUE"]
        project = found[f"cn=shop,{GROUPS}"]
        assert (project["objectClass"], project["projectManager"]) == (
            ["novaProject"],
            [f"uid=joe,{USERS}"],
        )
        assert "owner" not in project


class TestAdoptedLdapUsers(_Suite):
    """The entries of persons are others' to make and delete."""

    __test__ = True
    others: ClassVar[dict[str, Any]] = {"ldap_user_modify_only": True}

    @pytest.fixture
    def server(self, newer: Slapd) -> Slapd:
        return newer

    def make(self) -> LdapUsers:
        for name in PERSONS:
            a_person(self._slapd, name)
        return super().make()

    async def test_unknown_person(self) -> None:
        """Nobody becomes a user who is no person of the directory."""
        users = await self._cloud()
        before = entries(self._slapd)
        with pytest.raises(UserNotFound, match=r"^LDAP object for sue doesn't exist$"):
            await users.create_user("sue", None, None, False)
        assert entries(self._slapd) == before

    async def test_person_stays(self) -> None:
        """Who is deleted stays a person, with nothing of Nova's but the class."""
        users = await self._cloud()
        before = entries(self._slapd)[f"uid=bob,{USERS}"]
        await users.create_user("bob", None, None, True)
        await users.delete_user("bob")
        after = entries(self._slapd)[f"uid=bob,{USERS}"]
        assert after.pop("objectClass") == [*before.pop("objectClass"), "novaUser"]
        assert after == before
