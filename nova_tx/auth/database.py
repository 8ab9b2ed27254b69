"""Users and projects in the database: what the cloud works with by default.  [spec/09 section 4]"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import replace

from sqlalchemy import Connection
from twisted.logger import Logger
from zope.interface import implementer

from nova_tx.auth import audit, keys
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.sealing import Seals, is_sealed
from nova_tx.db import projects, user_secrets, users
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import SecretsFlags
from nova_tx.model.users import Membership, Project, User

_log = Logger()


@implementer(IUsers)
class DatabaseUsers:
    """Each question is one transaction; in it, secrets are sealed and opened."""

    names = ("nova.auth.dbdriver.DbDriver", "database")

    def __init__(self, database: Database, secrets: SecretsFlags) -> None:
        self._database = database
        self._seals = Seals(secrets)

    async def open(self) -> None:
        """
        See that secrets can be read.

        @raise StartupError: they are sealed by a key that this host does not have.
        """
        if await self._database.read(self._unsealed):
            _log.warn("some users' secrets are not sealed: run nova-manage db sync")

    def _unsealed(self, txn: Connection) -> bool:
        for each in users.listed(txn):
            self._seals.opened(each)
        return user_secrets.any_of_before(txn)

    async def close(self) -> None:
        """Nothing is held."""

    def find(self, access_key: str, project_id: str | None) -> Awaitable[Membership]:
        def find(txn: Connection) -> Membership:
            found = users.find(txn, access_key, project_id)
            try:
                return self._known(found)
            except StartupError as error:  # the daemon started long ago; a new key came since
                _log.critical("{why}", why=str(error))
                raise Unavailable("a user's secret can't be read; try again later") from None

        return self._database.read(find)

    def member(self, user_id: str, project_id: str) -> Awaitable[Membership]:
        def member(txn: Connection) -> Membership:
            return self._known(users.member(txn, user_id, project_id))

        return self._database.read(member)

    def _known(self, found: Membership) -> Membership:
        return replace(found, user=self._seals.opened(found.user))

    def users(self) -> Awaitable[tuple[User, ...]]:
        def listed(txn: Connection) -> tuple[User, ...]:
            return tuple(map(self._seals.opened, users.listed(txn)))

        return self._database.read(listed)

    def user(self, user_id: str) -> Awaitable[User]:
        def user(txn: Connection) -> User:
            return self._seals.opened(users.user(txn, user_id))

        return self._database.read(user)

    async def create_user(
        self, user_id: str, access_key: str | None, secret_key: str | None, is_admin: bool
    ) -> User:
        new = keys.new_user(user_id, access_key, secret_key, is_admin)

        def create(txn: Connection) -> User:
            sealed = self._sealed(txn, user_id, new.secret_key)
            return self._seals.opened(users.create(txn, user_id, new.access_key, sealed, is_admin))

        return await self._database.run(create)

    async def modify_user(
        self,
        user_id: str,
        access_key: str | None,
        secret_key: str | None,
        is_admin: bool | None,
    ) -> User:
        access, secret = keys.changed(access_key, secret_key)

        def modify(txn: Connection) -> User:
            sealed = None if secret is None else self._sealed(txn, user_id, secret)
            return self._seals.opened(users.modify(txn, user_id, access, sealed, is_admin))

        return await self._database.run(modify)

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
        audit.adding(user_id, role, project_id)
        await self._database.run(users.add_role, user_id, role, project_id)

    async def remove_role(self, user_id: str, role: str, project_id: str | None) -> None:
        audit.removing(user_id, role, project_id)
        await self._database.run(users.remove_role, user_id, role, project_id)

    # Secrets.

    def seal_all(self) -> Awaitable[int]:
        """
        Seal what is not sealed yet; returns how many secrets that were.

        @raise StartupError: the key that sealed the others is not there.
        """

        def seal_all(txn: Connection) -> int:
            def seal(user_id: str, stored: str) -> str:
                return stored if is_sealed(stored) else self._sealed(txn, user_id, stored)

            return user_secrets.rewrite(txn, seal)

        return self._database.run(seal_all)

    def rotate_key(self) -> Awaitable[int]:
        """
        Seal every secret anew, by a new key; returns how many there are.

        @raise StartupError: the file of keys can't be used, or lacks one that is needed.
        """

        def rotate_key(txn: Connection) -> int:
            secrets: dict[str, str] = {}

            def note(user_id: str, stored: str) -> str:
                secrets[user_id] = self._seals.open(user_id, stored)
                return stored

            def seal(user_id: str, stored: str) -> str:
                return self._sealed(txn, user_id, secrets[user_id])

            user_secrets.rewrite(txn, note)  # all of them can be opened, and are nobody else's now
            self._seals.add_key()
            return user_secrets.rewrite(txn, seal)

        return self._database.run(rotate_key)

    def _sealed(self, txn: Connection, user_id: str, secret: str) -> str:
        return self._seals.seal(user_id, secret, lambda: not _any_sealed(txn))


def _any_sealed(txn: Connection) -> bool:
    return is_sealed(user_secrets.any_one(txn) or "")
