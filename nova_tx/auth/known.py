"""
Users who asked a moment ago are not looked up again.

What is taken from a user (a key, a membership, a role, the user itself) is taken at the latest
after L{SECONDS}; what is given is there at once, for refusals are not remembered.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from nova_tx.auth.interfaces import IUsers
from nova_tx.model.users import Membership
from nova_tx.once import Once

#: Seconds for which a user is believed to be as before.
SECONDS = 1.0
#: Users and projects that are remembered.
_MOST = 1000


class KnownUsers:
    """Answers C{find} for a door that is asked often."""

    def __init__(self, users: IUsers, clock: IReactorTime) -> None:
        self._users = users
        self._clock = clock
        self._known: dict[tuple[str, str | None], tuple[float, Membership]] = {}
        self._once: Once[Membership] = Once()

    async def find(self, access_key: str, project_id: str | None) -> Membership:
        """
        The user with that access key in that project.

        @raise UserNotFound, ProjectNotFound: no such user, no such project.
        """
        asked = access_key, project_id
        now = self._clock.seconds()
        until, found = self._known.get(asked, (0.0, None))
        # a clock that was set back must not make anyone known for longer
        if found is not None and until - SECONDS <= now < until:
            return found

        async def look_up() -> Membership:
            return await self._users.find(access_key, project_id)

        found = await self._once.do(repr(asked), look_up)
        if len(self._known) >= _MOST:
            self._known.clear()
        # counted from when it was asked: what changed since may not have been seen
        self._known[asked] = (now + SECONDS, found)
        return found

    def forget(self, access_key: str) -> None:
        """Look that user up when next asked."""
        for asked in [each for each in self._known if each[0] == access_key]:
            del self._known[asked]
