"""What every implementation of IUsers promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from nova_tx.auth.interfaces import IUsers
from nova_tx.errors import Duplicate, InUse, InvalidInput, ProjectNotFound, UserNotFound
from nova_tx.testing.conformance.roles import RolesTests


async def _refused(error: type[Exception], text: str, asked: Awaitable[Any]) -> None:
    with pytest.raises(error) as caught:
        await asked
    assert type(caught.value) is error
    assert str(caught.value) == text


def make_users_tests(factory: Callable[..., IUsers]) -> type:
    """
    The suite as a class to inherit from.

    @param factory: makes an empty implementation.
    """

    class UsersTests(RolesTests):
        def make(self) -> IUsers:
            """An empty implementation; a test that has to prepare one overrides this."""
            return factory()

        async def _cloud(self) -> Any:
            """joe manages shop, ann is a member of it, eve is not."""
            users: Any = self.make()
            for name in ("joe", "ann", "eve"):
                await users.create_user(name, f"{name}-access", f"{name}-secret", False)
            await users.create_project("shop", "joe", None)
            await users.add_member("ann", "shop")
            return users

        def test_interface(self) -> None:
            """It has the methods of IUsers, with their parameters."""
            assert verifyObject(IUsers, self.make())

        async def test_keys_given(self) -> None:
            """A user has the keys it was made with."""
            users: Any = self.make()
            made = await users.create_user("joe", "my-access-key", "a-super-secret-key", True)
            assert (made.id, made.access_key, made.secret_key, made.is_admin) == (
                "joe",
                "my-access-key",
                "a-super-secret-key",
                True,
            )
            assert await users.user("joe") == made

        async def test_keys_random(self) -> None:
            """Keys that are not given are 36 characters, and differ."""
            users: Any = self.make()
            joe = await users.create_user("joe", None, None, False)
            ann = await users.create_user("ann", None, None, False)
            keys = {joe.access_key, joe.secret_key, ann.access_key, ann.secret_key}
            assert len(keys) == 4
            assert {len(key) for key in keys} == {36}

        @pytest.mark.parametrize(
            "name", ["", "-a", "a b", "a:b", "a/b", "a,b", "..", "é", "a\n", "x" * 256]
        )
        async def test_bad_names(self, name: str) -> None:
            """A name that requests or files can't carry is refused."""
            users = await self._cloud()
            with pytest.raises(InvalidInput):
                await users.create_user(name, None, None, False)
            with pytest.raises(InvalidInput):
                await users.create_project(name, "joe", None)

        async def test_bad_keys(self) -> None:
            """A key that requests can't carry is refused, and the text does not show it."""
            users = await self._cloud()
            for access, secret in (("a:b", None), ("", None), (None, "a b"), (None, "")):
                with pytest.raises(InvalidInput) as caught:
                    await users.create_user("new", access, secret, False)
                assert "a:b" not in str(caught.value) and "a b" not in str(caught.value)
                with pytest.raises(InvalidInput):
                    await users.modify_user("joe", access, secret, None)

        @pytest.mark.parametrize("secret", ["x" * 255, "".join(map(chr, range(33, 127))), "sealed"])
        async def test_secrets(self, secret: str) -> None:
            """A secret comes back as it was given, whatever it is made of, also when changed."""
            users = await self._cloud()
            await users.create_user("new", "new-access", secret, False)
            await users.modify_user("joe", None, secret, None)
            for key in ("new-access", "joe-access"):
                assert (await users.find(key, "shop")).user.secret_key == secret
            assert [each.secret_key == secret for each in await users.users()] == [
                False,
                False,
                True,
                True,
            ]

        async def test_key_is_free_again(self) -> None:
            """An access key that was changed, or whose user was deleted, is another's to have."""
            users = await self._cloud()
            await users.modify_user("joe", "changed", None, None)
            await users.delete_user("eve")
            await users.modify_user("ann", "joe-access", None, None)
            await users.create_user("new", "eve-access", None, False)
            assert (await users.find("joe-access", "shop")).user.id == "ann"
            assert (await users.find("eve-access", "shop")).user.id == "new"
            text = "No user found for access key ann-access"
            await _refused(UserNotFound, text, users.find("ann-access", "shop"))

        async def test_duplicate_user(self) -> None:
            """A name is taken once; the one who has it stays as it was."""
            users = await self._cloud()
            before = await users.user("joe")
            again = users.create_user("joe", "other", "other", True)
            await _refused(Duplicate, "User joe already exists", again)
            assert await users.user("joe") == before

        async def test_duplicate_access_key(self) -> None:
            """Two users can't have one access key."""
            users = await self._cloud()
            text = "The access key belongs to another user"
            await _refused(Duplicate, text, users.create_user("new", "joe-access", None, False))
            await _refused(Duplicate, text, users.modify_user("ann", "joe-access", None, None))
            assert (await users.find("joe-access", "shop")).user.id == "joe"

        async def test_modify(self) -> None:
            """What is given is changed, the rest is kept."""
            users = await self._cloud()
            await users.add_role("joe", "netadmin", None)
            assert (await users.modify_user("joe", None, None, None)).secret_key == "joe-secret"
            await users.modify_user("joe", "new-access", None, None)
            await users.modify_user("joe", None, "new-secret", True)
            joe = await users.user("joe")
            assert (joe.access_key, joe.secret_key, joe.is_admin, joe.roles) == (
                "new-access",
                "new-secret",
                True,
                frozenset({"netadmin"}),
            )
            await _refused(
                UserNotFound, 'User "bob" not found', users.modify_user("bob", None, None, True)
            )

        async def test_users_listed(self) -> None:
            """Every user is listed, by id, with its roles."""
            users = await self._cloud()
            await users.add_role("joe", "sysadmin", None)
            await users.add_role("joe", "netadmin", None)
            found = await users.users()
            assert [each.id for each in found] == ["ann", "eve", "joe"]
            assert found[2].roles == {"netadmin", "sysadmin"}

        async def test_no_user(self) -> None:
            """Asking for a user that does not exist is an error that says so."""
            users = await self._cloud()
            text = 'User "bob" not found'
            await _refused(UserNotFound, text, users.user("bob"))
            await _refused(UserNotFound, text, users.member("bob", "shop"))
            await _refused(UserNotFound, text, users.delete_user("bob"))
            await _refused(UserNotFound, text, users.add_member("bob", "shop"))
            await _refused(UserNotFound, text, users.remove_member("bob", "shop"))
            for project in (None, "shop"):
                await _refused(UserNotFound, text, users.add_role("bob", "netadmin", project))
                await _refused(UserNotFound, text, users.remove_role("bob", "netadmin", project))

        async def test_no_project(self) -> None:
            """Asking for a project that does not exist is an error that says so."""
            users = await self._cloud()
            text = 'Project "none" not found'
            await _refused(ProjectNotFound, text, users.project("none"))
            await _refused(ProjectNotFound, text, users.member("joe", "none"))
            await _refused(ProjectNotFound, text, users.delete_project("none"))
            await _refused(ProjectNotFound, text, users.add_member("joe", "none"))
            await _refused(ProjectNotFound, text, users.remove_member("joe", "none"))
            await _refused(ProjectNotFound, text, users.add_role("joe", "netadmin", "none"))
            await _refused(ProjectNotFound, text, users.remove_role("joe", "netadmin", "none"))

        async def test_find(self) -> None:
            """An access key and a project give user, project, membership and all roles."""
            users = await self._cloud()
            for role in ("netadmin", "sysadmin"):
                await users.add_role("ann", role, None)
            for role in ("netadmin", "developer"):
                await users.add_role("ann", role, "shop")
            found = await users.find("ann-access", "shop")
            assert found.user == await users.user("ann")
            assert found.user.secret_key == "ann-secret"
            assert found.user.roles == {"netadmin", "sysadmin"}
            assert found.project == await users.project("shop")
            assert found.member
            assert found.project_roles == {"netadmin", "developer"}
            assert found == await users.member("ann", "shop")

        async def test_find_stranger(self) -> None:
            """Who is no member is found all the same, and said to be none."""
            users = await self._cloud()
            found = await users.find("eve-access", "shop")
            assert (found.user.id, found.member) == ("eve", False)
            assert found.project_roles == frozenset()

        async def test_find_own_project(self) -> None:
            """Without a project, the one named as the user is meant."""
            users = await self._cloud()
            text = 'Project "ann" not found'
            await _refused(ProjectNotFound, text, users.find("ann-access", None))
            await users.create_project("ann", "ann", None)
            assert (await users.find("ann-access", None)).project.id == "ann"

        async def test_find_unknown(self) -> None:
            """A key or project is found by its exact name: no pattern, case or blank at the end."""
            users = await self._cloud()
            for key in ("nobody", "*", "%", "joe-acces_", "JOE-ACCESS", "joe-access "):
                text = f"No user found for access key {key}"
                await _refused(UserNotFound, text, users.find(key, "shop"))
            for project in ("SHOP", "shop ", "sho_", "%"):
                text = f'Project "{project}" not found'
                await _refused(ProjectNotFound, text, users.find("joe-access", project))

        async def test_create_project(self) -> None:
            """A project has its manager as a member, and its id as description if none is given."""
            users = await self._cloud()
            made = await users.create_project("mine", "ann", "all mine")
            assert (made.id, made.manager, made.description) == ("mine", "ann", "all mine")
            assert made.members == {"ann"}
            assert await users.project("mine") == made
            assert (await users.project("shop")).description == "shop"
            assert (await users.member("ann", "mine")).member

        async def test_duplicate_project(self) -> None:
            """A project's name is taken once."""
            users = await self._cloud()
            text = "Project can't be created because project shop already exists"
            await _refused(Duplicate, text, users.create_project("shop", "ann", None))
            assert (await users.project("shop")).manager == "joe"

        async def test_project_without_manager(self) -> None:
            """The manager of a new project must exist."""
            users = await self._cloud()
            text = "Project can't be created because manager bob doesn't exist"
            await _refused(UserNotFound, text, users.create_project("new", "bob", None))
            assert [each.id for each in await users.projects()] == ["shop"]

        async def test_project_with_members(self) -> None:
            """A project begins with its members, or, if one is unknown, not at all."""
            users = await self._cloud()
            made = await users.create_project("mine", "ann", None, ("eve", "ann"))
            assert made.members == {"ann", "eve"}
            assert await users.project("mine") == made
            text = "Project can't be created because user bob doesn't exist"
            begun = users.create_project("new", "ann", None, ("eve", "bob"))
            await _refused(UserNotFound, text, begun)
            assert [each.id for each in await users.projects()] == ["mine", "shop"]

        async def test_modify_project(self) -> None:
            """What is given is changed; a new manager is a member, the old one stays one."""
            users = await self._cloud()
            await users.modify_project("shop", None, "a shop")
            changed = await users.modify_project("shop", "eve", None)
            assert (changed.manager, changed.description) == ("eve", "a shop")
            assert changed.members == {"joe", "ann", "eve"}
            assert await users.project("shop") == changed
            await users.delete_user("joe")
            assert (await users.project("shop")).members == {"ann", "eve"}

        async def test_modify_project_refused(self) -> None:
            """Project and new manager must exist; else the project stays as it was."""
            users = await self._cloud()
            before = await users.project("shop")
            text = "Project can't be modified because manager bob doesn't exist"
            await _refused(UserNotFound, text, users.modify_project("shop", "bob", "x"))
            text = 'Project "none" not found'
            await _refused(ProjectNotFound, text, users.modify_project("none", "eve", None))
            assert await users.project("shop") == before

        async def test_projects_listed(self) -> None:
            """Every project is listed, by id, with its members."""
            users = await self._cloud()
            await users.create_project("bank", "eve", None)
            found = await users.projects()
            assert [(each.id, each.members) for each in found] == [
                ("bank", {"eve"}),
                ("shop", {"joe", "ann"}),
            ]

        async def test_delete_project(self) -> None:
            """A project goes with its roles: one of the same name starts without them."""
            users = await self._cloud()
            await users.add_role("ann", "netadmin", "shop")
            await users.delete_project("shop")
            await users.create_project("shop", "eve", None)
            found = await users.member("ann", "shop")
            assert (found.member, found.project_roles) == (False, frozenset())

        async def test_members(self) -> None:
            """Becoming a member twice is once; leaving ends the roles in the project, too."""
            users = await self._cloud()
            await users.add_member("ann", "shop")
            await users.add_role("ann", "netadmin", "shop")
            await users.remove_member("ann", "shop")
            await users.remove_member("ann", "shop")
            assert not (await users.member("ann", "shop")).member
            await users.add_member("ann", "shop")
            assert (await users.member("ann", "shop")).project_roles == frozenset()

        async def test_manager_stays(self) -> None:
            """The manager of a project can be neither deleted nor removed from it."""
            users = await self._cloud()
            text = "User joe manages project shop"
            await _refused(InUse, text, users.remove_member("joe", "shop"))
            await _refused(InUse, text, users.delete_user("joe"))
            assert (await users.find("joe-access", "shop")).member

        async def test_delete_user(self) -> None:
            """A user goes with all it had: one of the same name starts without roles."""
            users = await self._cloud()
            await users.add_role("ann", "netadmin", None)
            await users.add_role("ann", "netadmin", "shop")
            await users.delete_user("ann")
            await _refused(UserNotFound, 'User "ann" not found', users.user("ann"))
            assert (await users.project("shop")).members == {"joe"}
            await users.create_user("ann", "ann-access", None, False)
            found = await users.find("ann-access", "shop")
            assert (found.user.roles, found.member) == (frozenset(), False)
            assert found.project_roles == frozenset()

        async def test_roles(self) -> None:
            """Granting twice is once; taking back takes one; what is not there is nothing."""
            users = await self._cloud()
            for project in (None, "shop"):
                for role in ("netadmin", "netadmin", "sysadmin"):
                    await users.add_role("ann", role, project)
                await users.remove_role("ann", "netadmin", project)
                await users.remove_role("ann", "netadmin", project)
                await users.remove_role("ann", "unheard-of", project)
            found = await users.member("ann", "shop")
            assert (found.user.roles, found.project_roles) == ({"sysadmin"}, {"sysadmin"})
            await users.remove_role("ann", "sysadmin", "shop")
            found = await users.member("ann", "shop")
            assert (found.user.roles, found.project_roles) == ({"sysadmin"}, frozenset())

        async def test_open_and_closed(self) -> None:
            """It can be opened and closed again, as daemons do."""
            users = await self._cloud()
            await users.open()
            assert len(await users.users()) == 3
            await users.close()

        async def test_not_printed(self) -> None:
            """The printed form of a user shows no key."""
            users = await self._cloud()
            found = await users.find("ann-access", "shop")
            assert "ann-secret" not in repr(found) and "ann-access" not in repr(found)

    return UsersTests
