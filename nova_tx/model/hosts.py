"""
Facts of hosts and their workers.

Facts are what rooms hand to each other: frozen, without behaviour.  Times are naive UTC
C{datetime}s; sizes say their unit in the name; an address or a network is text
(C{10.0.0.3}, C{10.0.0.0/24}).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Service:
    """
    A worker's row.

    @ivar updated_at: its last heartbeat, None before the first.
    @ivar age: seconds since the last sign of life, by the database's clock.
    """

    id: int
    host: str
    binary: str
    topic: str
    report_count: int
    disabled: bool
    availability_zone: str
    created_at: datetime
    updated_at: datetime | None
    age: float


@dataclass(frozen=True)
class Host:
    """
    A live compute host, as a scheduling policy sees it.

    @ivar vcpus_used: virtual CPUs of the instances on it.
    """

    name: str
    zone: str
    vcpus_used: int
