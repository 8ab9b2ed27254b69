"""
Access keys that are used wrongly too often open nothing for a while.  [spec/02 section 2; A5]

The count is in the database: it is the same for all processes of all API hosts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.auth.keys import is_access_key
from nova_tx.db import lockouts
from nova_tx.db.engine import Database
from nova_tx.errors import LockedOut
from nova_tx.flags import AuthFlags
from nova_tx.gate import Gate
from nova_tx.model.users import Membership

_log = Logger()

#: Failures that are being counted at once: guesses must not keep others from the database.
_AT_ONCE = 16


class Lockout:
    """The rule of the flags; C{lockout_attempts} of 0 is none."""

    def __init__(self, database: Database, flags: AuthFlags, clock: IReactorTime) -> None:
        self._database = database
        self._limits = lockouts.Limits(
            flags.lockout_attempts,
            timedelta(minutes=flags.lockout_window),
            timedelta(minutes=flags.lockout_minutes),
        )
        self._clock = clock
        self._counting = Gate("failed authentications", _AT_ONCE)

    @property
    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.seconds(), UTC).replace(tzinfo=None)

    def check(self, found: Membership) -> None:
        """
        See that a key is not locked; costs nothing, for it came with the user.

        @raise LockedOut: it is.
        """
        until = found.locked_until
        if self._limits.attempts > 0 and until is not None and self._now < until:
            raise LockedOut

    async def failed(self, access_key: str, known: bool) -> None:
        """
        Count a failure; a key that is none is not counted.

        @param known: somebody has the key.
        @raise LockedOut: the key was locked already.
        @raise TooManyRequests: there are too many failures at once.
        """
        if self._limits.attempts <= 0 or not is_access_key(access_key):
            return
        with self._counting.entered():
            count = await self._database.run(
                lockouts.failed, access_key, self._limits, self._now, known
            )
        if not count:
            raise LockedOut
        if count >= self._limits.attempts:
            _log.warn(
                "Access key {key} has had {n} failed authentications and will be locked out for "
                "{minutes} minutes.",
                key=access_key,
                n=count,
                minutes=self._limits.lock // timedelta(minutes=1),
            )

    async def passed(self, found: Membership) -> bool:
        """Forget the failures of a key that was used rightly; whether there were any."""
        if found.failures:
            await self._database.run(lockouts.forgive, found.user.access_key)
        return bool(found.failures)

    async def clear(self) -> None:
        """Forget what counts no more."""
        await self._database.run(lockouts.clear, self._limits.window, self._now)
