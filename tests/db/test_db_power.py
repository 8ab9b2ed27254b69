"""What users ask of instances that are there, on the real engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, update

from nova_tx import states
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instances, power
from nova_tx.db.engine import Database
from nova_tx.db.schema import instances as table
from nova_tx.errors import Conflict, InstanceNotFound, OperationNotPermitted, WrongState
from nova_tx.testing.rows import an_instance

NOW = datetime(2011, 2, 15, 7, 28, 32)
JOHN = RequestContext("john", "physics")
EVE = RequestContext("eve", "other")

Request = Callable[[Any, RequestContext, int], Any]


def _start(txn: Any, context: RequestContext, instance_id: int) -> Any:
    return power.request_start(txn, context, (instance_id,))[0][1]


def _stop(txn: Any, context: RequestContext, instance_id: int) -> Any:
    return power.request_stop(txn, context, (instance_id,))[0][1]


def _reboot(txn: Any, context: RequestContext, instance_id: int) -> Any:
    return power.request_reboot(txn, context, (instance_id,))[0]


def _image(txn: Any, context: RequestContext, instance_id: int) -> Any:
    return power.request_image(txn, context, instance_id, False)


def _gentle_image(txn: Any, context: RequestContext, instance_id: int) -> Any:
    return power.request_image(txn, context, instance_id, True)


REQUESTS: dict[Request, dict[str, str]] = {
    _start: {
        **{states.SHUTDOWN: states.STARTING, states.STARTING: states.STARTING},
        **{states.RUNNING: states.RUNNING},
    },
    _stop: {
        **{states.RUNNING: states.STOPPING, states.REBOOTING: states.STOPPING},
        **{states.RESCUED: states.STOPPING, states.STOPPING: states.STOPPING},
        **{states.SHUTDOWN: states.SHUTDOWN},
    },
    _reboot: {
        **{states.RUNNING: states.REBOOTING, states.SHUTDOWN: states.REBOOTING},
        **{states.REBOOTING: states.REBOOTING},
    },
    power.request_rescue: {
        **{states.RUNNING: states.RESCUING, states.SHUTDOWN: states.RESCUING},
        **{states.RESCUING: states.RESCUING},
    },
    power.request_unrescue: {
        states.RESCUED: states.UNRESCUING,
        states.UNRESCUING: states.UNRESCUING,
    },
    _image: {states.RUNNING: states.IMAGING, states.SHUTDOWN: states.SHUTDOWN},
    _gentle_image: {states.RUNNING: states.RUNNING, states.SHUTDOWN: states.SHUTDOWN},
}


async def _row(database: Database, **columns: object) -> None:
    values = {**vars(an_instance(host="HostA", **columns))}
    await database.run(lambda txn: txn.execute(insert(table).values(**values)))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: each.__name__)
async def test_from_every_state(database: Database, request_: Request) -> None:
    """Each request leads where it should, and from all other states nowhere."""
    await _row(database)
    for state in states.POWER:
        await database.run(
            lambda txn, state=state: txn.execute(update(table).values(state_description=state))
        )
        wanted = REQUESTS[request_].get(state)
        if wanted is None:
            with pytest.raises(WrongState, match=f"i-00000001 is {state}"):
                await database.run(request_, JOHN, 1)
        else:
            after = await database.run(request_, JOHN, 1)
            assert after.state_description == wanted
        row = await database.read(instances.get, 1)
        assert row.state_description == (wanted or state)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda each: each.__name__)
async def test_whose(database: Database, request_: Request) -> None:
    """Another project's instance is as good as none; a locked one is administrators'."""
    state = states.RESCUED if request_ is power.request_unrescue else states.SHUTDOWN
    await _row(database, state_description=state, locked=True)
    if request_ is _stop:
        await database.run(
            lambda txn: txn.execute(update(table).values(state_description=states.RUNNING))
        )
    with pytest.raises(InstanceNotFound):
        await database.run(request_, EVE, 1)
    with pytest.raises(Conflict, match="locked"):
        await database.run(request_, JOHN, 1)
    await database.run(request_, admin_context(), 1)


@pytest.mark.parametrize("request_", [power.request_start, power.request_stop])
async def test_all_or_none(database: Database, request_: Any) -> None:
    """One instance that can't, or is not there, and nothing happens to the others."""
    good = states.SHUTDOWN if request_ is power.request_start else states.RUNNING
    await _row(database, id=1, state_description=good)
    mac = "02:16:3e:00:00:02"
    await _row(database, id=2, state_description=states.NETWORKING, mac_address=mac)
    for ids, error in (((1, 2), WrongState), ((1, 99), InstanceNotFound)):
        with pytest.raises(error):
            await database.run(request_, JOHN, ids)
        assert (await database.read(instances.get, 1)).state_description == good
    changes = await database.run(request_, JOHN, (1, 1))
    assert [before.state_description for before, _ in changes] == [good]


@pytest.mark.parametrize("state", [states.RUNNING, states.SHUTDOWN, states.RESCUED])
async def test_protected(database: Database, state: str) -> None:
    """A protected instance is not terminated, whoever asks, nor are others asked for with it."""
    await _row(database, id=1, state_description=states.RUNNING)
    mac = "02:16:3e:00:00:02"
    await _row(
        database, id=2, state_description=state, mac_address=mac, disable_api_termination=True
    )
    for who in (JOHN, admin_context()):
        with pytest.raises(OperationNotPermitted, match="i-00000002' may not be terminated"):
            await database.run(power.request_termination, who, (1, 2), NOW)
    assert (await database.read(instances.get, 1)).state_description == states.RUNNING
    assert (await database.read(instances.get, 2)).state_description == state


@pytest.mark.parametrize("state", [states.ERROR, states.TERMINATING, states.TERMINATED])
async def test_nothing_to_protect(database: Database, state: str) -> None:
    """One that has ended, or holds nothing, is not protected any more."""
    await _row(database, state_description=state, disable_api_termination=True)
    ((_, after),) = await database.run(power.request_termination, JOHN, (1,), NOW)
    assert after.state_description in (states.TERMINATING, states.TERMINATED)
