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
from nova_tx.model.instances import Instance
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
    START = "the message to start it was lost"
    HALT = "the message to stop it was lost"
    RESCUE = "the message to rescue it was lost"
    UNRESCUE = "the message to unrescue it was lost"
    IMAGE = "it was switched off for an image, and the message was lost"
    END = "its guest has switched itself off, and was to end then"
    TERMINATE = "it is to end"
    DESTROY = "it should have left nothing"


#: What takes long.
_LAST = frozenset((Act.BUILD, Act.REBOOT, Act.START, Act.HALT, Act.RESCUE, Act.UNRESCUE, Act.IMAGE))
#: What is to be done about a row that a message should have led out of its state.
_LOST = {
    states.REBOOTING: Act.REBOOT,
    states.STARTING: Act.START,
    states.STOPPING: Act.HALT,
    states.RESCUING: Act.RESCUE,
    states.UNRESCUING: Act.UNRESCUE,
    states.IMAGING: Act.IMAGE,
}


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
    itself: Collection[int] = (),
) -> list[Decision]:
    """
    What to do about the instances of this host; what takes long comes last.

    @param rows: every instance of this host that is not terminated, read before C{guests}.
    @param directories: names of the guests' directories that are here.
    @param itself: instances whose guest was seen to switch itself off.  Only that ends
        one that is to end with its guest: if the host went down, nobody asked for it.
    """
    found = []
    for row in rows:
        name = places.name(row.id)
        act = _act(row, guests.get(name), name in directories, now)
        if act is Act.STOP and row.id in itself and _ends_with_guest(row):
            act = Act.END
        if act is not None:
            found.append(Decision(act, row))
    return sorted(found, key=lambda each: each.act in _LAST)


def _ends_with_guest(row: Instance) -> bool:
    return row.state_description == states.RUNNING and row.shutdown_behavior == "terminate"


def _act(row: Instance, power: Power | None, directory: bool, now: datetime) -> Act | None:
    gone = power in _GONE
    match row.state_description:
        case states.SCHEDULING:
            return Act.BUILD if lost(row.scheduled_at, now) else None
        case states.NETWORKING if gone:
            return Act.BUILD if lost(row.updated_at, now) else None
        case states.NETWORKING:
            return Act.RUN
        case states.RUNNING | states.RESCUED:
            return Act.STOP if gone else None
        case states.STOPPING if gone:
            return Act.STOP
        case states.STARTING if not gone:
            return Act.RUN
        case states.SHUTDOWN:
            return None if gone else Act.RUN
        case state if state in _LOST:
            return _LOST[state] if lost(row.updated_at, now) else None
        case states.TERMINATING:
            return Act.TERMINATE
        case states.ERROR:
            return Act.DESTROY if power is not None or directory else None
    return None


def lost(since: datetime | None, now: datetime) -> bool:
    """Whether what was begun at a time would have been heard of by now."""
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
