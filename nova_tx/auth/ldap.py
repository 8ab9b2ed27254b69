"""
Users and projects in an LDAP directory, as Nova's schema has them.     [spec/09 section 5]

What the directory has no place for stays in the database: key pairs, and failed
authentications.  Secrets are in the directory as they are, for others to use them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import Any

from zope.interface import implementer

from nova_tx.auth import audit, keys
from nova_tx.auth.interfaces import IUsers
from nova_tx.db import key_pairs, lockouts
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flags import LdapFlags
from nova_tx.model.users import Membership, Project, User


@implementer(IUsers)
class LdapUsers:
    """Each question is one turn of a thread with the directory."""

    names = ("nova.auth.ldapdriver.LdapDriver", "ldap")

    def __init__(
        self, flags: LdapFlags, database: Database, reactor: Any, *, inline: bool = False
    ) -> None:
        """
        Opens nothing.

        @param inline: ask the directory in the calling thread, which waits.
        @raise StartupError: python-ldap is not installed, or a flag has a value that can't be.
        """
        try:
            from nova_tx.auth.directory import accounts, people, server
        except ImportError as error:
            raise StartupError(
                f"--auth_driver={self.names[0]} needs the Python package python-ldap,"
                f" as nova_tx[ldap] has it ({error})"
            ) from None
        self._accounts, self._people = accounts, people
        self._server = server.Server(flags, reactor, inline)
        self._database = database

    def open(self) -> Awaitable[None]:
        return self._server.open()

    def close(self) -> Awaitable[None]:
        return self._server.close()

    async def find(self, access_key: str, project_id: str | None) -> Membership:
        found = await self._server.run(self._accounts.find, access_key, project_id)
        failures, until = await self._database.read(lockouts.known, access_key)
        return replace(found, failures=failures, locked_until=until)

    def member(self, user_id: str, project_id: str) -> Awaitable[Membership]:
        return self._server.run(self._accounts.member, user_id, project_id)

    def users(self) -> Awaitable[tuple[User, ...]]:
        return self._server.run(self._accounts.users)

    def user(self, user_id: str) -> Awaitable[User]:
        return self._server.run(self._accounts.user, user_id)

    async def create_user(
        self, user_id: str, access_key: str | None, secret_key: str | None, is_admin: bool
    ) -> User:
        user = keys.new_user(user_id, access_key, secret_key, is_admin)
        await self._server.run(self._people.create, user)
        return user

    async def modify_user(
        self,
        user_id: str,
        access_key: str | None,
        secret_key: str | None,
        is_admin: bool | None,
    ) -> User:
        access, secret = keys.changed(access_key, secret_key)
        modify = self._accounts.modify_user
        user: User = await self._server.run(modify, user_id, access, secret, is_admin)
        return user

    async def delete_user(self, user_id: str) -> None:
        await self._server.run(self._accounts.check_deletable, user_id)
        await self._database.run(key_pairs.remove_all, user_id)
        await self._server.run(self._accounts.delete_user, user_id)

    def projects(self) -> Awaitable[tuple[Project, ...]]:
        return self._server.run(self._accounts.projects)

    def project(self, project_id: str) -> Awaitable[Project]:
        return self._server.run(self._accounts.project, project_id)

    async def create_project(
        self,
        project_id: str,
        manager: str,
        description: str | None,
        members: Iterable[str] = (),
    ) -> Project:
        keys.check_name(project_id, "project")
        given = (project_id, manager, description, tuple(members))
        made: Project = await self._server.run(self._accounts.create_project, *given)
        return made

    def modify_project(
        self, project_id: str, manager: str | None, description: str | None
    ) -> Awaitable[Project]:
        return self._server.run(self._accounts.modify_project, project_id, manager, description)

    def delete_project(self, project_id: str) -> Awaitable[None]:
        return self._server.run(self._accounts.delete_project, project_id)

    def add_member(self, user_id: str, project_id: str) -> Awaitable[None]:
        return self._server.run(self._accounts.add_member, user_id, project_id)

    def remove_member(self, user_id: str, project_id: str) -> Awaitable[None]:
        return self._server.run(self._accounts.remove_member, user_id, project_id)

    async def add_role(self, user_id: str, role: str, project_id: str | None) -> None:
        audit.adding(user_id, role, project_id)
        await self._server.run(self._accounts.add_role, user_id, role, project_id)

    async def remove_role(self, user_id: str, role: str, project_id: str | None) -> None:
        audit.removing(user_id, role, project_id)
        await self._server.run(self._accounts.remove_role, user_id, role, project_id)
