"""
Rows and guests that do not agree, and what to do about it.

Run at start, every C{periodic_interval}, and when a guest ended by itself.  A
guest that is there makes its row say so; one that is gone stops its row and
never deletes it.  What a row waits for, and nobody works on, is done now.
                                                                [spec/15 B10 to B13]
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nova_tx import states
from nova_tx.compute.guest import Places
from nova_tx.model import Instance
from nova_tx.states import Power

#: How long a message may be on its way before its work is done without it.
LOST_AFTER = timedelta(seconds=60)

_GONE = (None, Power.SHUTOFF, Power.CRASHED)


class Act(enum.Enum):
    """What to do about an instance."""

    RUN = "its guest runs"
    STOP = "its guest is gone"
    BUILD = "the message to build it was lost, or its builder"
    REBOOT = "the message to reboot it was lost"
    TERMINATE = "it is to end"
    DESTROY = "it should have left nothing"


@dataclass(frozen=True)
class Decision:
    """One thing to do."""

    act: Act
    instance: Instance


def decide(
    rows: Iterable[Instance],
    guests: Mapping[str, Power],
    directories: Collection[str],
    places: Places,
    now: datetime,
) -> list[Decision]:
    """
    What to do about the instances of this host; building comes last, since it takes long.

    @param rows: every instance of this host that is not terminated, read before C{guests}.
    @param directories: names of the guests' directories that are here.
    """
    found = []
    for row in rows:
        name = places.name(row.id)
        act = _act(row, guests.get(name), name in directories, now)
        if act is not None:
            found.append(Decision(act, row))
    return sorted(found, key=lambda each: each.act in (Act.BUILD, Act.REBOOT))


def _act(row: Instance, power: Power | None, directory: bool, now: datetime) -> Act | None:
    gone = power in _GONE
    match row.state_description:
        case states.SCHEDULING:
            return Act.BUILD if _lost(row.scheduled_at, now) else None
        case states.NETWORKING if gone:
            return Act.BUILD if _lost(row.updated_at, now) else None
        case states.NETWORKING:
            return Act.RUN
        case states.RUNNING:
            return Act.STOP if gone else None
        case states.SHUTDOWN:
            return None if gone else Act.RUN
        case states.REBOOTING:
            return Act.REBOOT if _lost(row.updated_at, now) else None
        case states.TERMINATING:
            return Act.TERMINATE
        case states.ERROR:
            return Act.DESTROY if power is not None or directory else None
    return None


def _lost(since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since > LOST_AFTER


def strays(
    rows: Iterable[Instance], directories: Iterable[str], places: Places
) -> Sequence[tuple[int, str]]:
    """
    Instances without a row in C{rows} whose directories are here: (id, name).

    A guest that has no directory here is another cloud's on the same
    hypervisor, and not ours to touch.
    """
    known = {row.id for row in rows}
    named = ((places.instance_id(name), name) for name in sorted(directories))
    return [(found, name) for found, name in named if found is not None and found not in known]
