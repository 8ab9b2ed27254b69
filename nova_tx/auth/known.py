"""
Users who asked a moment ago are not looked up again: see L{nova_tx.recent}.

What is taken from a user is a key, a membership, a role, or the user itself.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from nova_tx.auth.interfaces import IUsers
from nova_tx.model.users import Membership
from nova_tx.recent import Recent


class KnownUsers:
    """Answers C{find} for a door that is asked often."""

    def __init__(self, users: IUsers, clock: IReactorTime) -> None:
        self._users = users
        self._known: Recent[tuple[str, str | None], Membership] = Recent(clock)

    async def find(self, access_key: str, project_id: str | None) -> Membership:
        """
        The user with that access key in that project.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """

        async def look_up() -> Membership:
            return await self._users.find(access_key, project_id)

        return await self._known.find((access_key, project_id), look_up)

    def forget(self, access_key: str) -> None:
        """Look that user up when next asked."""
        self._known.forget(lambda asked: asked[0] == access_key)
