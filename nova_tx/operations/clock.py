"""The time of a reactor, as rows hold it."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime


def moment(clock: IReactorTime) -> datetime:
    """Now: naive UTC."""
    return datetime.fromtimestamp(clock.seconds(), UTC).replace(tzinfo=None)
