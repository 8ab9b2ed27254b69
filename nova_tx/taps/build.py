"""
What every daemon is: the database and the bus first, then its rooms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from nova_tx.db import upgrade
from nova_tx.db.engine import Database
from nova_tx.errors import StartupError
from nova_tx.flags import MetricsFlags
from nova_tx.taps import crew
from nova_tx.taps.daemon import Daemon, Part
from nova_tx.taps.descriptors import make_room
from nova_tx.taps.options import DaemonOptions
from nova_tx.taps.parts import Parts
from nova_tx.taps.signals import heed_sighup, heed_sigterm

Room = Callable[[Parts], Sequence[Part]]


class Tables:
    """The database, at the version that this program needs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self) -> None:
        """
        Reach the database and look at its version.

        @raise StartupError: it can't be reached, or is at another version.
        """
        await self._database.open()
        await upgrade.check(self._database)

    async def close(self) -> None:
        """Wait for what is running."""
        await self._database.close()


def daemon(
    options: DaemonOptions, patience: float | None, *rooms: Room, shared: bool = False
) -> Daemon:
    """
    The service of a daemon that is made of these rooms.

    @param patience: see L{Parts}.
    @param shared: several processes write the same log.
    """
    from twisted.internet import reactor

    flags = options.flags
    try:
        log = options.log(shared)
        parts = Parts(flags, reactor, patience)
        opened: list[Part] = [Tables(parts.database), parts.rpc]
        for room in rooms:
            opened.extend(room(parts))
        if flags.section(MetricsFlags).metrics_port:
            from nova_tx.taps.monitoring import Monitoring

            opened.insert(0, Monitoring(parts))
        warnings = [*flags.warnings, *make_room(parts.descriptors)]
    except StartupError as error:
        # twistd would show a traceback
        print(f"{options.program}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    made = Daemon(
        reactor,
        opened,
        log,
        warnings=warnings,
        stopping=parts.database.hurry,
    )
    renew = (log.reopen, made.reload)
    reactor.callWhenRunning(heed_sigterm, reactor)
    reactor.callWhenRunning(heed_sighup, reactor, *renew)
    if crew.inherited() is not None:
        reactor.callWhenRunning(crew.Lifeline(reactor, renew).hold)
    return made
