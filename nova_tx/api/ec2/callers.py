"""
Who comes through the EC2 door.                                        [spec/02 section 2; A4, A5]
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from nova_tx.api.ec2 import identity
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.known import KnownUsers
from nova_tx.auth.lockout import Lockout
from nova_tx.auth.roles import Roles
from nova_tx.errors import AuthFailure, ProjectNotFound, SignatureMismatch, UserNotFound
from nova_tx.flags import Ec2Flags
from nova_tx.model.users import Membership


class Callers:
    """Knows who signed a message, for every resource of the door."""

    def __init__(
        self, users: IUsers, roles: Roles, lockout: Lockout, flags: Ec2Flags, clock: IReactorTime
    ) -> None:
        self._users = KnownUsers(users, clock)
        self._roles = roles
        self._lockout = lockout
        self._window = flags.ec2_timestamp_window
        self._clock = clock

    async def identify(self, message: identity.Message) -> tuple[Membership, identity.Claim]:
        """
        The caller, in the project of C{key[:project]}, and what proved it.

        Whether key, project or membership was wrong is not told.  [spec/15 A4]

        @raise NovaError: the message is not signed, not in time, or not by whom it says.
        """
        claim = identity.claim(message, self._window)
        claim.check_time(datetime.fromtimestamp(self._clock.seconds(), UTC).replace(tzinfo=None))
        key, _, project_id = claim.access_key.partition(":")
        try:
            found = await self._users.find(key, project_id or None)
        except (UserNotFound, ProjectNotFound):
            raise await self._refused(key, _unknown()) from None
        self._lockout.check(found)
        if not claim.proved_by(found.user.secret_key):
            mismatch = SignatureMismatch(
                "The request signature we calculated does not match the signature you provided. "
                "Check your secret access key and signing method."
            )
            raise await self._refused(key, mismatch)
        if not (found.member or self._roles.admin(found.user)):
            raise await self._refused(key, _unknown())
        if await self._lockout.passed(found):
            self._users.forget(key)
        return found, claim

    async def afresh(self, found: Membership) -> Membership:
        """
        The same caller as looked up now.

        @raise AuthFailure: there is none any more.
        """
        key = found.user.access_key
        self._users.forget(key)
        try:
            return await self._users.find(key, found.project.id)
        except (UserNotFound, ProjectNotFound):
            raise _unknown() from None

    async def _refused(
        self, key: str, error: AuthFailure | SignatureMismatch
    ) -> AuthFailure | SignatureMismatch:
        """
        The error, once it is counted.

        @raise LockedOut: instead, since there were too many before.
        """
        try:
            await self._lockout.failed(key)
        finally:
            self._users.forget(key)
        return error


def _unknown() -> AuthFailure:
    return AuthFailure("AWS was not able to validate the provided access credentials")
