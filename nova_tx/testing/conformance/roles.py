"""What the rules of roles make of what an implementation of IUsers keeps.  [spec/09 section 2]"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import provider

from nova_tx.auth.roles import EVERYONE, PROJECT_MANAGER, Roles
from nova_tx.errors import InvalidInput
from nova_tx.flags import AuthFlags

ROLES = Roles(AuthFlags())
SYSADMIN = frozenset((PROJECT_MANAGER, "sysadmin"))


class RolesTests:
    """A part of the suite of users, which says what C{_cloud} is."""

    async def _cloud(self) -> Any:
        raise NotImplementedError

    @pytest.mark.parametrize("role", ["sysadmin", "netadmin", "developer"])
    async def test_intersection(self, role: str) -> None:
        """A role counts in a project if it was given both in the cloud and in that project."""
        users = await self._cloud()
        await users.create_project("bank", "joe", None, ("ann",))

        async def where() -> list[str]:
            return [
                project
                for project in ("bank", "shop")
                if ROLES.has_role(await users.find("ann-access", project), role)
            ]

        assert await where() == []
        await users.add_role("ann", role, "shop")
        assert await where() == []
        await users.add_role("ann", role, None)
        assert await where() == ["shop"]
        await users.add_role("ann", role, "bank")
        assert await where() == ["bank", "shop"]
        await users.remove_role("ann", role, "shop")
        assert await where() == ["bank"]
        await users.remove_role("ann", role, None)
        assert await where() == []

    async def test_one_role_is_no_other(self) -> None:
        """A role in the cloud and another one in the project make none."""
        users = await self._cloud()
        await users.add_role("ann", "sysadmin", None)
        await users.add_role("ann", "netadmin", "shop")
        found = await users.find("ann-access", "shop")
        assert not any(ROLES.has_role(found, role) for role in ("sysadmin", "netadmin"))
        assert not ROLES.allows(found, SYSADMIN)
        assert ROLES.allows(found, frozenset((EVERYONE,)))

    @pytest.mark.parametrize("role", ["cloudadmin", "itsec"])
    async def test_global(self, role: str) -> None:
        """A global role is valid in all projects, of a stranger, too: cloudadmin may all there."""
        users = await self._cloud()
        await users.add_role("eve", role, None)
        found = await users.find("eve-access", "shop")
        assert not found.member
        assert ROLES.has_role(found, role) and ROLES.admin(found.user)
        assert ROLES.superuser(found.user) is (role == "cloudadmin")
        assert ROLES.allows(found, SYSADMIN) is (role == "cloudadmin")
        assert ROLES.allows(found, frozenset()) is (role == "cloudadmin")
        await users.remove_role("eve", role, None)
        found = await users.find("eve-access", "shop")
        assert not ROLES.has_role(found, role) and not ROLES.admin(found.user)

    async def test_admin_flag(self) -> None:
        """Who was made an administrator may do everything, without any role, until that ends."""
        users = await self._cloud()
        await users.modify_user("eve", None, None, True)
        found = await users.find("eve-access", "shop")
        assert ROLES.superuser(found.user) and ROLES.admin(found.user)
        assert ROLES.allows(found, frozenset())
        assert not ROLES.has_role(found, "cloudadmin")
        await users.modify_user("eve", None, None, False)
        found = await users.find("eve-access", "shop")
        assert not ROLES.admin(found.user) and not ROLES.allows(found, SYSADMIN)

    async def test_project_manager(self) -> None:
        """The manager of a project may in it what a sysadmin may, in no other, while it is that."""
        users = await self._cloud()
        await users.create_project("bank", "ann", None, ("joe",))
        assert ROLES.allows(await users.find("joe-access", "shop"), SYSADMIN)
        assert not ROLES.allows(await users.find("joe-access", "bank"), SYSADMIN)
        await users.modify_project("shop", "eve", None)
        found = await users.find("joe-access", "shop")
        assert found.member and not ROLES.has_role(found, PROJECT_MANAGER)
        assert ROLES.has_role(await users.find("eve-access", "shop"), PROJECT_MANAGER)
        with pytest.raises(InvalidInput, match=r"\AMust specify project\Z"):
            ROLES.holds(found.user, PROJECT_MANAGER)

    async def test_holds(self) -> None:
        """Without a project, what counts is what was given in the cloud."""
        users = await self._cloud()
        await users.add_role("ann", "netadmin", None)
        await users.add_role("ann", "sysadmin", "shop")
        ann = await users.user("ann")
        assert ROLES.holds(ann, "netadmin") and not ROLES.holds(ann, "sysadmin")

    async def test_audit(self) -> None:
        """Each grant and its end leave a line that says who, what and where."""
        users = await self._cloud()
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_namespace"] == "nova_tx.auth.audit":
                lines.append(str(event["log_format"]).format(**event))

        globalLogPublisher.addObserver(observe)
        try:
            await users.add_role("ann", "netadmin", None)
            await users.add_role("ann", "netadmin", "shop")
            await users.remove_role("ann", "netadmin", "shop")
            await users.remove_role("ann", "netadmin", None)
        finally:
            globalLogPublisher.removeObserver(observe)
        assert lines == [
            "Adding sitewide role netadmin to user ann",
            "Adding role netadmin to user ann in project shop",
            "Removing role netadmin from user ann on project shop",
            "Removing sitewide role netadmin from user ann",
        ]
