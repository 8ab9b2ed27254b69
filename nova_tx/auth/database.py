"""Users and projects in the database: what the cloud works with by default.  [spec/09 section 4]"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from twisted.logger import Logger
from zope.interface import implementer

from nova_tx.auth import keys
from nova_tx.auth.interfaces import IUsers
from nova_tx.db import projects, users
from nova_tx.db.engine import Database
from nova_tx.model.users import Membership, Project, User

_log = Logger()


@implementer(IUsers)
class DatabaseUsers:
    """Each question is one transaction; grants leave a line in the log."""

    names = ("nova.auth.dbdriver.DbDriver", "database")

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, access_key: str, project_id: str | None) -> Awaitable[Membership]:
        return self._database.read(users.find, access_key, project_id)

    def member(self, user_id: str, project_id: str) -> Awaitable[Membership]:
        return self._database.read(users.member, user_id, project_id)

    def users(self) -> Awaitable[tuple[User, ...]]:
        return self._database.read(users.listed)

    def user(self, user_id: str) -> Awaitable[User]:
        return self._database.read(users.user, user_id)

    async def create_user(
        self, user_id: str, access_key: str | None, secret_key: str | None, is_admin: bool
    ) -> User:
        keys.check_name(user_id, "user")
        access, secret = keys.access_key(access_key), keys.secret_key(secret_key)
        return await self._database.run(users.create, user_id, access, secret, is_admin)

    async def modify_user(
        self,
        user_id: str,
        access_key: str | None,
        secret_key: str | None,
        is_admin: bool | None,
    ) -> User:
        access = None if access_key is None else keys.access_key(access_key)
        secret = None if secret_key is None else keys.secret_key(secret_key)
        return await self._database.run(users.modify, user_id, access, secret, is_admin)

    def delete_user(self, user_id: str) -> Awaitable[None]:
        return self._database.run(users.remove, user_id)

    def projects(self) -> Awaitable[tuple[Project, ...]]:
        return self._database.read(users.projects_listed)

    def project(self, project_id: str) -> Awaitable[Project]:
        return self._database.read(users.project, project_id)

    async def create_project(
        self,
        project_id: str,
        manager: str,
        description: str | None,
        members: Iterable[str] = (),
    ) -> Project:
        keys.check_name(project_id, "project")
        joining = tuple(members)
        return await self._database.run(projects.create, project_id, manager, description, joining)

    def modify_project(
        self, project_id: str, manager: str | None, description: str | None
    ) -> Awaitable[Project]:
        return self._database.run(projects.modify, project_id, manager, description)

    def delete_project(self, project_id: str) -> Awaitable[None]:
        return self._database.run(projects.remove, project_id)

    def add_member(self, user_id: str, project_id: str) -> Awaitable[None]:
        return self._database.run(users.add_member, user_id, project_id)

    def remove_member(self, user_id: str, project_id: str) -> Awaitable[None]:
        return self._database.run(users.remove_member, user_id, project_id)

    async def add_role(self, user_id: str, role: str, project_id: str | None) -> None:
        if project_id is None:
            _log.info("Adding sitewide role {role} to user {user}", role=role, user=user_id)
        else:
            _log.info(
                "Adding role {role} to user {user} in project {project}",
                role=role,
                user=user_id,
                project=project_id,
            )
        await self._database.run(users.add_role, user_id, role, project_id)

    async def remove_role(self, user_id: str, role: str, project_id: str | None) -> None:
        if project_id is None:
            _log.info("Removing sitewide role {role} from user {user}", role=role, user=user_id)
        else:
            _log.info(
                "Removing role {role} from user {user} on project {project}",
                role=role,
                user=user_id,
                project=project_id,
            )
        await self._database.run(users.remove_role, user_id, role, project_id)
