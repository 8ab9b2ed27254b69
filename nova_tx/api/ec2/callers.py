"""
Who comes through the EC2 door.                                        [spec/02 section 2; A4, A5]
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from nova_tx.api.ec2 import identity
from nova_tx.auth.admission import Admission
from nova_tx.errors import AuthFailure, ProjectNotFound, SignatureMismatch, UserNotFound
from nova_tx.flags import Ec2Flags
from nova_tx.model.users import Membership


class Callers:
    """Knows who signed a message, for every resource of the door."""

    def __init__(self, admission: Admission, flags: Ec2Flags, clock: IReactorTime) -> None:
        self._admission = admission
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

        def prove(secret: str) -> None:
            if not claim.proved_by(secret):
                raise SignatureMismatch(
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your secret access key and signing method."
                )

        key, _, project_id = claim.access_key.partition(":")
        try:
            found, _ = await self._admission.admit(key, project_id or None, prove)
        except (UserNotFound, ProjectNotFound):
            raise _unknown() from None
        return found, claim

    async def afresh(self, found: Membership) -> Membership:
        """
        The same caller as looked up now.

        @raise AuthFailure: there is none any more.
        """
        try:
            return await self._admission.afresh(found)
        except (UserNotFound, ProjectNotFound):
            raise _unknown() from None


def _unknown() -> AuthFailure:
    return AuthFailure("AWS was not able to validate the provided access credentials")
