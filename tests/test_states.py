"""The life of an instance: the table of moves has no dead ends, and no way back from the grave."""

from __future__ import annotations

import pytest

from nova_tx import states
from nova_tx.states import (
    ERROR,
    LIVE,
    POWER,
    RUNNING,
    SCHEDULING,
    TERMINATED,
    TERMINATING,
    Move,
    Power,
)

MOVES = {name: value for name, value in vars(states).items() if isinstance(value, Move)}
STATES = frozenset(POWER)


def reachable(start: str) -> set[str]:
    """Every state that some moves lead to."""
    found, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for move in MOVES.values():
            if here in move.sources and move.target not in found:
                found.add(move.target)
                todo.append(move.target)
    return found


def test_power_numbers() -> None:
    """The numbers are Nova's: clients and the hypervisor's names for them depend on it."""
    assert {each.name: int(each) for each in Power} == {
        "NOSTATE": 0,
        "RUNNING": 1,
        "BLOCKED": 2,
        "PAUSED": 3,
        "SHUTDOWN": 4,
        "SHUTOFF": 5,
        "CRASHED": 6,
        "SUSPENDED": 7,
        "FAILED": 8,
    }


@pytest.mark.parametrize("name", sorted(MOVES))
def test_known(name: str) -> None:
    """A move leads from states to a state that the table of power numbers has."""
    assert MOVES[name].sources and MOVES[name].sources <= STATES
    assert MOVES[name].target in STATES


def test_all_reachable() -> None:
    """A new instance can come into every state."""
    assert reachable(SCHEDULING) == STATES


@pytest.mark.parametrize("state", sorted(STATES - {TERMINATED}))
def test_end(state: str) -> None:
    """Whatever has happened to an instance, it can be terminated."""
    assert TERMINATED in reachable(state)


def test_grave() -> None:
    """Nothing leads out of terminated, and only there out of terminating."""
    assert reachable(TERMINATED) == {TERMINATED}
    assert reachable(TERMINATING) == {TERMINATING, TERMINATED}


def test_second_delivery() -> None:
    """A message that is delivered twice finds a state in which its move is not allowed."""
    for name, move in MOVES.items():
        assert move.target not in move.sources or name == "PLACE"


def test_build_once() -> None:
    """Only an instance that waits for a host is built, and only a built one can run."""
    assert states.BUILD.sources == {SCHEDULING}
    assert SCHEDULING not in states.RUN.sources


def test_no_error_from_running() -> None:
    """A guest that runs is never given up as an error."""
    assert not states.FAIL.sources & {RUNNING, TERMINATING, TERMINATED}


def test_rescue_is_left() -> None:
    """Whoever is rescued runs from his own disk again only after an end of the rescue."""
    assert {name for name, move in MOVES.items() if states.RESCUED in move.sources} == {
        *("STOP", "HALT", "UNRESCUE", "TERMINATE")
    }


def test_live() -> None:
    """What may take up a host counts against it; an error or an end does not."""
    assert {ERROR, TERMINATED} == STATES - LIVE
