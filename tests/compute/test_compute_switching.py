"""Guests that are there: started, stopped, rescued, and ended by themselves."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nova_tx import states
from nova_tx.compute.worker import ComputeWorker
from nova_tx.context import RequestContext
from nova_tx.db import instances, power
from nova_tx.db.engine import Database, now
from nova_tx.errors import (
    HypervisorAway,
    ImageNotFound,
    RemoteError,
    RemoteTimeout,
    Unavailable,
    VirtError,
)
from nova_tx.states import Power
from nova_tx.testing.house import House

JOHN = RequestContext(user="john", project="physics")
NAME = "instance-00000001"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


async def _running(house: House, **columns: object) -> ComputeWorker:
    await house.row(**columns)
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    house.driver.asked.clear()
    return worker


async def _ask(house: House, what: Any, *ids: int) -> None:
    await house.database.run(what, JOHN, ids or (1,))


async def _stopped(house: House) -> ComputeWorker:
    worker = await _running(house)
    await _ask(house, power.request_stop)
    await worker.remote_stop_instance(JOHN, 1)
    house.driver.asked.clear()
    return worker


async def _rescued(house: House) -> ComputeWorker:
    worker = await _running(house)
    await house.database.run(power.request_rescue, JOHN, 1)
    await worker.remote_rescue_instance(JOHN, 1)
    house.driver.asked.clear()
    return worker


# Stop and start.


@pytest.mark.parametrize(("force", "asked"), [(False, "stop"), (True, "cut")])
async def test_stop(house: House, force: bool, asked: str) -> None:
    """A stopped instance has its disk and its address, and no guest that runs."""
    worker = await _running(house)
    await _ask(house, power.request_stop)
    await worker.remote_stop_instance(JOHN, 1, force)
    row = await house.now()
    assert (row.state_description, row.state) == ("shutdown", Power.SHUTOFF)
    assert house.driver.asked == [asked]
    assert await house.driver.guests() == {NAME: Power.SHUTOFF}
    assert house.network.held == {1} and not house.empty()
    await worker.periodic()
    await worker.remote_stop_instance(JOHN, 1, force)
    assert await house.now() == row and house.driver.asked == [asked]


async def test_stop_needs_request(house: House) -> None:
    """A message alone stops nothing: the row must be stopping."""
    worker = await _running(house)
    await worker.remote_stop_instance(JOHN, 1)
    await worker.remote_stop_instance(JOHN, 99)
    assert await house.state() == "running" and house.driver.asked == []


async def test_stop_again(house: House, logged_errors: Any) -> None:
    """What could not be stopped stays stopping, and is stopped by a later round."""
    worker = await _running(house)
    await _ask(house, power.request_stop)
    house.driver.stop_error = VirtError("it would not die")
    await worker.remote_stop_instance(JOHN, 1)
    assert len(logged_errors.flush(VirtError)) == 1
    assert await house.state() == "stopping"
    house.driver.stop_error = None
    await worker.remote_stop_instance(JOHN, 1)
    assert await house.state() == "shutdown"


async def test_start(house: House) -> None:
    """A started instance runs from the disk that it had."""
    worker = await _stopped(house)
    disk = house.path / NAME / "disk"
    disk.write_text("mine")
    await _ask(house, power.request_start)
    await worker.remote_start_instance(JOHN, 1)
    assert await house.state() == "running"
    assert house.driver.asked == ["start"] and disk.read_text() == "mine"
    await worker.remote_start_instance(JOHN, 1)
    assert house.driver.asked == ["start"]


async def test_start_fails(house: House, logged_errors: Any) -> None:
    """A guest that can't be started stays stopped, says why, and can be started later."""
    worker = await _stopped(house)
    await _ask(house, power.request_start)
    house.driver.start_error = VirtError("no memory")
    await worker.remote_start_instance(JOHN, 1)
    logged_errors.flush(VirtError)
    row = await house.now()
    assert row.state_description == "shutdown"
    assert row.reason == "The hypervisor could not start the guest"
    house.driver.start_error = None
    await _ask(house, power.request_start)
    await worker.remote_start_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.reason) == ("running", None)


@pytest.mark.parametrize(
    "error", [RemoteTimeout("no answer"), HypervisorAway("nobody there")], ids=type
)
async def test_started_when_the_part_is_back(house: House, error: Exception) -> None:
    """What a part that is away keeps from being started is started when it is asked again."""
    worker = await _stopped(house)
    await _ask(house, power.request_start)
    house.network.error = error if isinstance(error, RemoteTimeout) else None
    house.driver.start_error = None if house.network.error else error
    with pytest.raises(Unavailable):
        await worker.remote_start_instance(JOHN, 1)
    assert await house.state() == "starting"
    house.network.error = house.driver.start_error = None
    await worker.remote_start_instance(JOHN, 1)
    assert await house.state() == "running"


async def test_stop_of_a_reboot(house: House) -> None:
    """An instance whose reboot is waited for can be stopped: the reboot is not done any more."""
    worker = await _running(house)
    await house.database.run(power.request_reboot, JOHN, [1])
    await _ask(house, power.request_stop)
    await worker.remote_reboot_instance(JOHN, 1)
    await worker.remote_stop_instance(JOHN, 1)
    assert await house.state() == "shutdown" and house.driver.asked == ["stop"]


# Rescue.


async def test_rescue(house: House) -> None:
    """A rescued instance runs from the rescue image, and afterwards from its own disk."""
    worker = await _running(house)
    await house.database.run(power.request_rescue, JOHN, 1)
    await worker.remote_rescue_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.state) == ("rescued", Power.RUNNING)
    assert house.driver.asked == ["rescue ami-rescue"]
    assert house.images.fetched[-3:] == ["ami-rescue", "aki-rescue", "ari-rescue"]
    assert house.network.held == {1}
    await worker.periodic()
    assert await house.now() == row
    await house.database.run(power.request_unrescue, JOHN, 1)
    await worker.remote_unrescue_instance(JOHN, 1)
    assert await house.state() == "running"
    assert not (house.path / NAME / "disk.rescue").exists()


async def test_rescue_of_the_stopped(house: House) -> None:
    """An instance that is stopped can be rescued."""
    worker = await _stopped(house)
    await house.database.run(power.request_rescue, JOHN, 1)
    await worker.remote_rescue_instance(JOHN, 1)
    assert await house.state() == "rescued"


async def test_no_rescue_image(house: House, logged_errors: Any) -> None:
    """Without a rescue image the guest runs on, and the row says why it was not rescued."""
    worker = await _running(house)
    await house.database.run(power.request_rescue, JOHN, 1)
    house.images.error = ImageNotFound("ami-rescue")
    await worker.remote_rescue_instance(JOHN, 1)
    logged_errors.flush(ImageNotFound)
    row = await house.now()
    assert row.state_description == "running"
    assert row.reason == "The instance was not rescued: there is no rescue image that can be used"
    assert house.driver.asked == []


async def test_rescue_fails(house: House, logged_errors: Any) -> None:
    """A guest that was cut and does not come up in rescue is stopped, and can be started."""
    worker = await _running(house)
    await house.database.run(power.request_rescue, JOHN, 1)
    house.driver._cut(NAME)
    house.driver.rescue_error = VirtError("no memory")
    await worker.remote_rescue_instance(JOHN, 1)
    logged_errors.flush(VirtError)
    row = await house.now()
    assert row.state_description == "shutdown"
    assert row.reason is not None and row.reason.startswith("The instance was not rescued: the")


async def test_unrescue_fails(house: House, logged_errors: Any) -> None:
    """An instance that could not be brought out of rescue is still in it."""
    worker = await _rescued(house)
    await house.database.run(power.request_unrescue, JOHN, 1)
    house.network.error = RemoteError("internal error")
    await worker.remote_unrescue_instance(JOHN, 1)
    logged_errors.flush(RemoteError)
    assert await house.state() == "rescued"


async def test_rescued_guest_ends(house: House) -> None:
    """A rescued guest that switches itself off is stopped, and starts from its own disk."""
    worker = await _rescued(house)
    house.driver.switch_off(NAME)
    await worker.periodic()
    assert await house.state() == "shutdown"
    await _ask(house, power.request_start)
    await worker.remote_start_instance(JOHN, 1)
    assert await house.state() == "running"
    assert not (house.path / NAME / "disk.rescue").exists()


async def test_stop_and_end_of_the_rescued(house: House) -> None:
    """A rescued instance can be stopped, and terminated."""
    worker = await _rescued(house)
    await _ask(house, power.request_stop)
    await worker.remote_stop_instance(JOHN, 1)
    assert await house.state() == "shutdown"
    await house.database.run(power.request_rescue, JOHN, 1)
    await worker.remote_rescue_instance(JOHN, 1)
    await house.database.run(power.request_termination, JOHN, [1], now())
    await worker.remote_terminate_instance(JOHN, 1)
    assert await house.state() == "terminated" and house.empty()


# What guests do by themselves.


@pytest.mark.parametrize(("behavior", "state"), [("stop", "shutdown"), ("terminate", "terminated")])
async def test_shutdown_behavior(house: House, behavior: str, state: str) -> None:
    """What follows when a guest switches itself off is what its row says."""
    worker = await _running(house, shutdown_behavior=behavior, disable_api_termination=True)
    house.driver.switch_off(NAME)
    await worker.stop()  # waits for the look that the event began
    row = await house.now()
    assert row.state_description == state
    assert (row.terminated_at is not None) == (state == "terminated")
    assert house.empty() == (state == "terminated")


async def test_only_by_itself(house: House) -> None:
    """A guest that was ended from outside, or with its host, ends no instance."""
    worker = await _running(house, shutdown_behavior="terminate")
    house.driver._cut(NAME)
    await worker.stop()
    assert await house.state() == "shutdown"
    await house.worker()
    assert await house.state() == "shutdown"


async def test_off_and_on_is_no_end(house: House) -> None:
    """The power button pressed for a reboot or a stop does not end an instance."""
    worker = await _running(house, shutdown_behavior="terminate")
    real = house.driver.reboot

    async def pressed(spec: Any) -> None:
        house.driver.switch_off(NAME)
        await real(spec)

    house.driver.reboot = pressed  # type: ignore[method-assign]
    await house.database.run(power.request_reboot, JOHN, [1])
    await worker.remote_reboot_instance(JOHN, 1)
    await worker.periodic()
    assert await house.state() == "running"
    await _ask(house, power.request_stop)
    house.driver.switch_off(NAME)
    await worker.remote_stop_instance(JOHN, 1)
    assert await house.state() == "shutdown"
    await _ask(house, power.request_start)
    await worker.remote_start_instance(JOHN, 1)
    house.driver._cut(NAME)  # whoever does that, it is not the guest
    await worker.periodic()
    assert await house.state() == "shutdown"


# After a crash.


@pytest.mark.parametrize(
    ("state", "runs", "wanted"),
    [
        (states.STOPPING, True, "shutdown"),
        (states.STOPPING, False, "shutdown"),
        (states.STARTING, True, "running"),
        (states.STARTING, False, "running"),
        (states.RESCUING, True, "rescued"),
        (states.UNRESCUING, True, "running"),
        (states.RESCUED, False, "shutdown"),
        (states.IMAGING, False, "running"),
    ],
)
async def test_settled(house: House, state: str, runs: bool, wanted: str) -> None:
    """What an earlier run, or a message that was lost, left half done is done by a round."""
    await house.row(state_description=state, host="HostA", updated_at=now() - timedelta(minutes=5))
    await house.guest()
    if not runs:
        house.driver._cut(NAME)
    await house.worker()
    assert await house.state() == wanted
    runs_now = (await house.driver.guests())[NAME] == Power.RUNNING
    assert runs_now == (wanted != "shutdown")


# Builds that end the daemon.


async def test_begun_too_often(house: House) -> None:
    """An instance whose building has ended the daemon five times is in error, and says so."""
    await house.row(host="HostA", state_description=states.NETWORKING, build_attempts=5)
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    row = await house.now()
    assert row.state_description == "error"
    assert row.reason == "The instance was begun 5 times, and the host's daemon ended each time"
    assert house.driver.asked == ["destroy"] and house.network.held == set()


async def test_attempts_are_counted(house: House) -> None:
    """A build that was broken off is counted, one that waits for a part that is away is not."""
    await house.row()
    worker = await house.worker()
    house.driver.spawn_error = HypervisorAway("nobody there")
    for _ in range(9):
        with pytest.raises(Unavailable):
            await worker.remote_run_instance(JOHN, 1)
    assert (await house.now()).build_attempts == 0
    house.driver.spawn_error = KeyboardInterrupt()  # type: ignore[assignment]
    for attempt in range(1, 3):
        with pytest.raises(KeyboardInterrupt):
            await worker.remote_run_instance(JOHN, 1)
        assert (await house.now()).build_attempts == attempt
    house.driver.spawn_error = None
    await worker.remote_run_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.build_attempts) == ("running", 3)
    assert await house.database.read(instances.get, 1) == row
