"""What to do about rows and guests that do not agree."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from nova_tx import states
from nova_tx.compute.guest import Places
from nova_tx.compute.reconcile import Act, decide, strays
from nova_tx.states import Power
from nova_tx.testing.rows import an_instance

PLACES = Places("instance-%08x", "/instances")
NAME = "instance-00000001"
NOW = datetime(2011, 2, 11, 12)
JUST, LONG_AGO = NOW - timedelta(seconds=5), NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("state", "power", "wanted"),
    [
        (states.NETWORKING, Power.RUNNING, Act.RUN),
        (states.NETWORKING, Power.PAUSED, Act.RUN),
        (states.NETWORKING, Power.SHUTOFF, None),
        (states.NETWORKING, None, None),
        (states.RUNNING, Power.RUNNING, None),
        (states.RUNNING, Power.PAUSED, None),
        (states.RUNNING, Power.SHUTDOWN, None),
        (states.RUNNING, Power.SHUTOFF, Act.STOP),
        (states.RUNNING, Power.CRASHED, Act.STOP),
        (states.RUNNING, None, Act.STOP),
        (states.SHUTDOWN, None, None),
        (states.SHUTDOWN, Power.SHUTOFF, None),
        (states.SHUTDOWN, Power.RUNNING, Act.RUN),
        (states.RESCUED, Power.RUNNING, None),
        (states.RESCUED, None, Act.STOP),
        (states.STOPPING, None, Act.STOP),
        (states.STOPPING, Power.RUNNING, None),
        (states.STARTING, Power.RUNNING, Act.RUN),
        (states.STARTING, None, None),
        (states.RESCUING, Power.RUNNING, None),
        (states.UNRESCUING, None, None),
        (states.IMAGING, None, None),
        (states.IMAGING, Power.RUNNING, None),
        (states.TERMINATING, Power.RUNNING, Act.TERMINATE),
        (states.TERMINATING, None, Act.TERMINATE),
        (states.ERROR, Power.RUNNING, Act.DESTROY),
        (states.ERROR, None, None),
    ],
)
def test_table(state: str, power: Power | None, wanted: Act | None) -> None:
    """A guest that is there runs, one that is gone stops its row."""
    rows = [an_instance(state_description=state, scheduled_at=JUST, updated_at=JUST)]
    guests = {} if power is None else {NAME: power}
    assert [each.act for each in decide(rows, guests, (), PLACES, NOW)] == (
        [] if wanted is None else [wanted]
    )


def test_error_directory() -> None:
    """Files of an instance in error are left-overs."""
    rows = [an_instance(state_description=states.ERROR)]
    assert [each.act for each in decide(rows, {}, {NAME}, PLACES, NOW)] == [Act.DESTROY]


@pytest.mark.parametrize(
    ("state", "power", "act"),
    [
        (states.REBOOTING, Power.RUNNING, Act.REBOOT),
        (states.REBOOTING, None, Act.REBOOT),
        (states.STOPPING, Power.RUNNING, Act.HALT),
        (states.STARTING, None, Act.START),
        (states.RESCUING, Power.RUNNING, Act.RESCUE),
        (states.RESCUING, None, Act.RESCUE),
        (states.UNRESCUING, Power.RUNNING, Act.UNRESCUE),
        (states.UNRESCUING, None, Act.UNRESCUE),
        (states.IMAGING, Power.RUNNING, Act.IMAGE),
        (states.IMAGING, None, Act.IMAGE),
    ],
)
def test_lost(state: str, power: Power | None, act: Act) -> None:
    """What nobody came to do is done, but not while its message may be on its way."""
    guests = {} if power is None else {NAME: power}
    for since, wanted in ((JUST, []), (LONG_AGO, [act])):
        rows = [an_instance(state_description=state, updated_at=since)]
        assert [each.act for each in decide(rows, guests, (), PLACES, NOW)] == wanted


@pytest.mark.parametrize(
    ("state", "behavior", "itself", "act"),
    [
        (states.RUNNING, "terminate", {1}, Act.END),
        (states.RUNNING, "terminate", {2}, Act.STOP),
        (states.RUNNING, "stop", {1}, Act.STOP),
        (states.RESCUED, "terminate", {1}, Act.STOP),
        (states.STOPPING, "terminate", {1}, Act.STOP),
    ],
)
def test_end(state: str, behavior: str, itself: set[int], act: Act) -> None:
    """Only an instance that is to end with its guest, and whose own guest ended itself, ends."""
    rows = [an_instance(state_description=state, shutdown_behavior=behavior)]
    assert [each.act for each in decide(rows, {}, (), PLACES, NOW, itself)] == [act]


def test_lost_build() -> None:
    """An instance that was given to this host long ago, and not begun, is built."""
    for since, wanted in ((JUST, []), (None, []), (LONG_AGO, [Act.BUILD])):
        rows = [an_instance(state_description=states.SCHEDULING, scheduled_at=since)]
        assert [each.act for each in decide(rows, {}, (), PLACES, NOW)] == wanted


def test_lost_builder() -> None:
    """An instance that was begun here long ago, and is worked on by nobody, is gone on with."""
    for since, wanted in ((JUST, []), (LONG_AGO, [Act.BUILD])):
        rows = [an_instance(state_description=states.NETWORKING, updated_at=since)]
        assert [each.act for each in decide(rows, {}, (), PLACES, NOW)] == wanted


def test_builds_last() -> None:
    """What takes long does not keep the rest waiting."""
    rows = [
        an_instance(id=1, state_description=states.SCHEDULING, scheduled_at=LONG_AGO),
        an_instance(id=2, state_description=states.REBOOTING, updated_at=LONG_AGO),
        an_instance(id=3, state_description=states.RUNNING),
    ]
    assert [each.instance.id for each in decide(rows, {}, (), PLACES, NOW)] == [3, 1, 2]


def test_strays() -> None:
    """Directories of instances without a row are strays; other names are not ours."""
    rows = [an_instance(id=1)]
    names = {NAME, "instance-00000002", "_base", "other"}
    assert strays(rows, names, PLACES) == [(2, "instance-00000002")]
