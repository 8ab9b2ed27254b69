"""Users and projects that live as long as the process: for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zope.interface import implementer

from nova_tx.auth import audit, keys
from nova_tx.auth.interfaces import IUsers
from nova_tx.db import users as say
from nova_tx.model.users import Membership, Project, User


@implementer(IUsers)
class MemoryUsers:
    """Dictionaries of facts."""

    names = ("nova.auth.ldapdriver.FakeLdapDriver", "memory")

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._projects: dict[str, Project] = {}
        self._project_roles: dict[tuple[str, str], frozenset[str]] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def find(self, access_key: str, project_id: str | None) -> Membership:
        for user in self._users.values():
            if user.access_key == access_key:
                return await self.member(user.id, user.id if project_id is None else project_id)
        raise say.no_access_key(access_key)

    async def member(self, user_id: str, project_id: str) -> Membership:
        user, project = await self.user(user_id), await self.project(project_id)
        roles = self._project_roles.get((user_id, project_id), frozenset())
        return Membership(user, project, user_id in project.members, roles)

    async def users(self) -> tuple[User, ...]:
        return tuple(self._users[user_id] for user_id in sorted(self._users))

    async def user(self, user_id: str) -> User:
        if user_id not in self._users:
            raise say.no_user(user_id)
        return self._users[user_id]

    async def create_user(
        self, user_id: str, access_key: str | None, secret_key: str | None, is_admin: bool
    ) -> User:
        user = keys.new_user(user_id, access_key, secret_key, is_admin)
        if user_id in self._users:
            raise say.user_exists(user_id)
        self._check_unused(user)
        self._users[user_id] = user
        return user

    async def modify_user(
        self,
        user_id: str,
        access_key: str | None,
        secret_key: str | None,
        is_admin: bool | None,
    ) -> User:
        old = await self.user(user_id)
        access, secret = keys.changed(access_key, secret_key)
        new = replace(
            old,
            access_key=old.access_key if access is None else access,
            secret_key=old.secret_key if secret is None else secret,
            is_admin=old.is_admin if is_admin is None else is_admin,
        )
        self._check_unused(new)
        self._users[user_id] = new
        return new

    def _check_unused(self, user: User) -> None:
        for other in self._users.values():
            if other.access_key == user.access_key and other.id != user.id:
                raise say.access_key_taken()

    async def delete_user(self, user_id: str) -> None:
        await self.user(user_id)
        managed = [each.id for each in self._projects.values() if each.manager == user_id]
        if managed:
            raise say.is_manager(user_id, managed)
        for project_id in self._projects:
            await self.remove_member(user_id, project_id)
        del self._users[user_id]

    async def projects(self) -> tuple[Project, ...]:
        return tuple(self._projects[project_id] for project_id in sorted(self._projects))

    async def project(self, project_id: str) -> Project:
        if project_id not in self._projects:
            raise say.no_project(project_id)
        return self._projects[project_id]

    async def create_project(
        self,
        project_id: str,
        manager: str,
        description: str | None,
        members: Iterable[str] = (),
    ) -> Project:
        keys.check_name(project_id, "project")
        if manager not in self._users:
            raise say.no_manager(manager)
        if project_id in self._projects:
            raise say.project_exists(project_id)
        joining = frozenset((manager, *members))
        for user_id in sorted(joining - self._users.keys()):
            raise say.no_member(user_id)
        text = project_id if description is None else description
        project = Project(project_id, manager, text, joining)
        self._projects[project_id] = project
        return project

    async def modify_project(
        self, project_id: str, manager: str | None, description: str | None
    ) -> Project:
        old = await self.project(project_id)
        if manager is not None and manager not in self._users:
            raise say.not_modified(manager)
        new = old.manager if manager is None else manager
        self._projects[project_id] = replace(
            old,
            manager=new,
            description=old.description if description is None else description,
            members=old.members | {new},
        )
        return self._projects[project_id]

    async def delete_project(self, project_id: str) -> None:
        await self.project(project_id)
        del self._projects[project_id]
        for user_id in self._users:
            self._project_roles.pop((user_id, project_id), None)

    async def add_member(self, user_id: str, project_id: str) -> None:
        project = (await self.member(user_id, project_id)).project
        self._projects[project_id] = replace(project, members=project.members | {user_id})

    async def remove_member(self, user_id: str, project_id: str) -> None:
        project = (await self.member(user_id, project_id)).project
        if project.manager == user_id:
            raise say.is_manager(user_id, (project_id,))
        self._projects[project_id] = replace(project, members=project.members - {user_id})
        self._project_roles.pop((user_id, project_id), None)

    async def add_role(self, user_id: str, role: str, project_id: str | None) -> None:
        audit.adding(user_id, role, project_id)
        if project_id is None:
            user = await self.user(user_id)
            self._users[user_id] = replace(user, roles=user.roles | {role})
        else:
            held = (await self.member(user_id, project_id)).project_roles
            self._project_roles[user_id, project_id] = held | {role}

    async def remove_role(self, user_id: str, role: str, project_id: str | None) -> None:
        audit.removing(user_id, role, project_id)
        if project_id is None:
            user = await self.user(user_id)
            self._users[user_id] = replace(user, roles=user.roles - {role})
        else:
            held = (await self.member(user_id, project_id)).project_roles
            self._project_roles[user_id, project_id] = held - {role}
