"""
Who is let in, at whichever door: the same rule for all, and one count of failures.
                                                                   [spec/02 section 2; A4, A5]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime

from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.known import KnownUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.auth.roles import Roles
from nova_tx.errors import NovaError, ProjectNotFound, SignatureMismatch, UserNotFound
from nova_tx.model.users import Membership

T = TypeVar("T")


class Admission:
    """Lets in who has the secret of an access key, and counts who has not."""

    def __init__(self, users: IUsers, roles: Roles, lockout: Lockout, clock: IReactorTime) -> None:
        self._users = KnownUsers(users, clock)
        self._roles = roles
        self._lockout = lockout

    async def admit(
        self, access_key: str, project_id: str | None, prove: Callable[[str], T]
    ) -> tuple[Membership, T]:
        """
        The user with that access key in that project, and what C{prove} returned.

        @param prove: given the secret, raises L{SignatureMismatch} if the request has another's.
        @raise UserNotFound: nobody has the key.
        @raise ProjectNotFound: there is no such project, or it is not the user's.
        @raise SignatureMismatch: see C{prove}.
        @raise LockedOut: the key was used wrongly too often of late.
        @raise TooManyRequests: there are too many failures at once.
        """
        try:
            found = await self._users.find(access_key, project_id)
        except (UserNotFound, ProjectNotFound) as error:
            raise await self._counted(access_key, error) from None
        self._lockout.check(found)
        try:
            proof = prove(found.user.secret_key)
        except SignatureMismatch as error:
            raise await self._counted(access_key, error) from None
        if not (found.member or self._roles.admin(found.user)):
            stranger = ProjectNotFound("the user is not a member of the project")
            raise await self._counted(access_key, stranger)
        if await self._lockout.passed(found):
            self._users.forget(access_key)
        return found, proof

    async def afresh(self, found: Membership) -> Membership:
        """
        The same user in the same project as looked up now.

        @raise UserNotFound, ProjectNotFound: there is none any more.
        """
        key = found.user.access_key
        self._users.forget(key)
        return await self._users.find(key, found.project.id)

    async def _counted(self, access_key: str, error: NovaError) -> NovaError:
        """
        The error, once it is counted.

        @raise LockedOut: instead, since there were too many before.
        """
        try:
            known = not isinstance(error, UserNotFound)
            await self._lockout.failed(access_key, known)
        finally:
            self._users.forget(access_key)
        return error
