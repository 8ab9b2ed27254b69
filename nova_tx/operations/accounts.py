"""
Accounts: users, projects, roles of the one in the other; for superusers. [spec/02 section 7]

Whoever asks has been found to be one by the door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx.auth import credentials
from nova_tx.auth.authority import Authority, Issued
from nova_tx.auth.certification import LATER, Certification
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.roles import Roles
from nova_tx.db import networks, projects
from nova_tx.db.engine import Database
from nova_tx.errors import AuthorityError, InUse
from nova_tx.flags import AuthFlags, CryptoFlags, Ec2Flags, S3Flags
from nova_tx.model.users import Project, User

_log = Logger()


class Accounts:
    """What a superuser may do with users and projects."""

    def __init__(
        self,
        users: IUsers,
        database: Database,
        auth: AuthFlags,
        ec2: Ec2Flags,
        s3: S3Flags,
        crypto: CryptoFlags,
        in_thread: Callable[..., Awaitable[Any]] = deferToThread,
    ) -> None:
        """
        @param in_thread: where keys are made and certificates signed.
        """
        self._users = users
        self._database = database
        self._roles = Roles(auth)
        self._places = ec2, s3, auth
        self._crypto = crypto
        self._in_thread = in_thread

    # Users.

    def users(self) -> Awaitable[tuple[User, ...]]:
        """Every user, by id."""
        return self._users.users()

    def user(self, user_id: str) -> Awaitable[User]:
        """
        One user.

        @raise UserNotFound: there is none.
        """
        return self._users.user(user_id)

    def create_user(self, user_id: str) -> Awaitable[User]:
        """
        Make a user with random keys.

        @raise Duplicate, InvalidInput: the name is taken, or none that requests can carry.
        """
        return self._users.create_user(user_id, None, None, False)

    async def delete_user(self, user_id: str) -> None:
        """
        Forget a user with the key pairs, memberships and roles it has; revoke its certificates.

        @raise UserNotFound, InUse: there is none; the user manages a project.
        """
        await self._users.delete_user(user_id)
        await self._revoke(user_id, None)

    async def credentials(self, user_id: str, project_id: str) -> tuple[User, bytes]:
        """
        A user, and the zip that it takes home for a project, with a new key and certificate.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        @raise InvalidInput: a flag, or a template, is no good; no certificate is issued.
        @raise AuthorityError: the certificate authority's files can't be used.
        """
        who = await self._users.member(user_id, project_id)
        vpn = await self._database.read(networks.vpn, project_id)
        packed: Callable[[Issued], bytes] = await self._in_thread(
            credentials.take_home, who, self._places, self._crypto.ca_file, vpn
        )
        issued = await self._certification().issue(user_id, project_id)
        zipped: bytes = await self._in_thread(packed, issued)
        return who.user, zipped

    def _certification(self) -> Certification:
        return Certification(Authority(self._crypto), self._database, self._in_thread)

    async def _revoke(self, user_id: str | None, project_id: str | None) -> None:
        """Revoke what there is; what the authority could not be told, it is told later."""
        try:
            await self._certification().revoke(user_id, project_id)
        except AuthorityError as error:
            _log.error("{reason}: {later}", reason=str(error), later=LATER)

    # Roles.

    def roles(self, in_projects: bool) -> tuple[str, ...]:
        """The roles that may be granted: in projects, or all of them."""
        return self._roles.listed(in_projects)

    async def roles_of(self, user_id: str, project_id: str | None) -> tuple[str, ...]:
        """
        The roles that a user was given in a project, or in the whole cloud.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
        if project_id is None:
            return tuple(sorted((await self._users.user(user_id)).roles))
        return tuple(sorted((await self._users.member(user_id, project_id)).project_roles))

    async def add_role(self, user_id: str, role: str, project_id: str | None) -> None:
        """
        Grant a role, in the whole cloud if C{project_id} is None; again is nothing.

        @raise RoleNotFound: there is no such role, or not in a project.
        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
        await self._users.add_role(user_id, self._roles.check(role, project_id), project_id)

    def remove_role(self, user_id: str, role: str, project_id: str | None) -> Awaitable[None]:
        """
        Take a role back; none is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
        return self._users.remove_role(user_id, role, project_id)

    # Projects.

    async def projects(self, user_id: str | None = None) -> tuple[Project, ...]:
        """
        Every project by id, or those that a user is a member of.

        @raise UserNotFound: no such user.
        """
        if user_id is not None:
            await self._users.user(user_id)
        return tuple(
            each
            for each in await self._users.projects()
            if user_id is None or user_id in each.members
        )

    def project(self, project_id: str) -> Awaitable[Project]:
        """
        One project.

        @raise ProjectNotFound: there is none.
        """
        return self._users.project(project_id)

    def create_project(
        self, project_id: str, manager: str, description: str | None, members: Sequence[str]
    ) -> Awaitable[Project]:
        """
        Make a project with its manager and members.

        @raise Duplicate, InvalidInput: the name is taken, or none that requests can carry.
        @raise UserNotFound: there is no such manager, or no such member; nothing is made.
        """
        return self._users.create_project(project_id, manager, description, members)

    def modify_project(
        self, project_id: str, manager: str | None, description: str | None
    ) -> Awaitable[Project]:
        """
        Change what is not None.

        @raise ProjectNotFound, UserNotFound: no such project, no such manager.
        """
        return self._users.modify_project(project_id, manager, description)

    async def delete_project(self, project_id: str) -> None:
        """
        Forget a project that has nothing left; revoke its members' certificates. [spec/15 D4]

        @raise ProjectNotFound: there is none.
        @raise InUse: it has instances, volumes, networks or addresses.
        """
        await self._users.project(project_id)
        left = await self._database.read(projects.possessions, project_id)
        if left:
            raise InUse(f"Project {project_id} still has {', '.join(left)}")
        await self._users.delete_project(project_id)
        await self._revoke(None, project_id)

    def add_member(self, user_id: str, project_id: str) -> Awaitable[None]:
        """
        Make a user a member; again is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
        return self._users.add_member(user_id, project_id)

    async def remove_member(self, user_id: str, project_id: str) -> None:
        """
        End a membership, the roles and the certificates for that project; none is nothing.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        @raise InUse: the user manages the project.
        """
        await self._users.remove_member(user_id, project_id)
        await self._revoke(user_id, project_id)
