"""
The life of an instance as a table: event -> (states it may come from, state it leads to).

The row is the state; this table is the machine.  A move is made by a
compare-and-set (L{nova_tx.db.instances.move}), so a message that is delivered
twice finds the wrong state the second time and stops.      [spec/07 section 2]
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Power(enum.IntEnum):
    """Power states by Nova's numbers; what a hypervisor says of a guest."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    SUSPENDED = 7
    FAILED = 8


# The states of an instance, as column C{state_description} holds them.
SCHEDULING = "scheduling"
NETWORKING = "networking"
RUNNING = "running"
REBOOTING = "rebooting"
STOPPING = "stopping"
SHUTDOWN = "shutdown"
STARTING = "starting"
RESCUING = "rescuing"
RESCUED = "rescued"
UNRESCUING = "unrescuing"
IMAGING = "imaging"
TERMINATING = "terminating"
TERMINATED = "terminated"
ERROR = "error"

#: Column C{state}: the power number that goes with each state.
POWER: dict[str, int | None] = {
    SCHEDULING: None,
    NETWORKING: Power.NOSTATE,
    RUNNING: Power.RUNNING,
    REBOOTING: Power.NOSTATE,
    STOPPING: Power.NOSTATE,
    SHUTDOWN: Power.SHUTOFF,
    STARTING: Power.NOSTATE,
    RESCUING: Power.NOSTATE,
    RESCUED: Power.RUNNING,
    UNRESCUING: Power.NOSTATE,
    IMAGING: Power.NOSTATE,
    TERMINATING: Power.NOSTATE,
    TERMINATED: Power.SHUTOFF,
    ERROR: Power.FAILED,
}

#: States in which an instance takes up vcpus on a host and counts against quotas.
LIVE = frozenset(POWER) - {TERMINATED, ERROR}


@dataclass(frozen=True)
class Move:
    """An event: it may only happen in one of C{sources} and leads to C{target}."""

    sources: frozenset[str]
    target: str


def _move(target: str, *sources: str) -> Move:
    return Move(frozenset(sources), target)


#: A host was chosen; the message to it is on its way.
PLACE = _move(SCHEDULING, SCHEDULING)
#: A compute host has begun to build the guest.
BUILD = _move(NETWORKING, SCHEDULING)
#: The guest runs, from its own disk.
RUN = _move(
    *(RUNNING, NETWORKING, REBOOTING, SHUTDOWN, STARTING),
    *(RESCUING, UNRESCUING, IMAGING),
)
#: The guest switched itself off, was switched off, or was found gone.
STOP = _move(
    *(SHUTDOWN, RUNNING, REBOOTING, STOPPING, STARTING),
    *(RESCUING, RESCUED, UNRESCUING, IMAGING),
)
#: It runs from the disk of a rescue image.
SHELTER = _move(RESCUED, RESCUING, UNRESCUING)
#: A user asked for a reboot.
REBOOT = _move(REBOOTING, RUNNING, SHUTDOWN)
#: A user asked for it to be switched off.
HALT = _move(STOPPING, RUNNING, REBOOTING, RESCUED)
#: A user asked for it to be switched on again.
START = _move(STARTING, SHUTDOWN)
#: A user asked to boot it from a rescue image.
RESCUE = _move(RESCUING, RUNNING, SHUTDOWN)
#: A user asked for an end of that.
UNRESCUE = _move(UNRESCUING, RESCUED)
#: A user asked for an image of it, for which it is switched off and on.
IMAGE = _move(IMAGING, RUNNING)
#: A user asked for its end, or its guest switched itself off and was to end then.
TERMINATE = _move(TERMINATING, *(LIVE - {TERMINATING}), ERROR)
#: Nothing of it is left but the row.
BURY = _move(TERMINATED, TERMINATING)
#: It could not be built, or could not be kept.
FAIL = _move(ERROR, SCHEDULING, NETWORKING, REBOOTING)
