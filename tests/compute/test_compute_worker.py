"""The compute worker, on the fake hypervisor and a real database."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from twisted.internet.defer import Deferred

from nova_tx import states
from nova_tx.compute import transactions
from nova_tx.compute.worker import ComputeWorker
from nova_tx.context import RequestContext
from nova_tx.db import power
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import images, instance_actions
from nova_tx.errors import (
    HypervisorAway,
    ImageError,
    NetworkNotFound,
    NoMoreAddresses,
    ProcessFailed,
    RemoteError,
    RemoteTimeout,
    StartupError,
    Unavailable,
    VirtError,
)
from nova_tx.log import in_context
from nova_tx.model.guests import GuestSpec
from nova_tx.states import Power
from nova_tx.testing.house import House
from nova_tx.testing.lines import logged_lines

JOHN = RequestContext(user="john", project="physics")
NAME = "instance-00000001"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


# Building.


async def test_run(house: House) -> None:
    """An instance that is built runs, with its address, its bridge and the time it did."""
    await house.row(state_description=states.SCHEDULING, host="HostA")
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.state, row.host) == ("running", 1, "HostA")
    assert row.launched_at is not None and row.reason is None
    assert await house.driver.guests() == {NAME: Power.RUNNING}
    assert house.network.held == {1}
    assert house.fabric.bridges == {"br100": "eth1"}


async def test_run_fetches_all(house: House) -> None:
    """A guest with kernel and ramdisk has all three files."""
    await house.row(kernel_id="aki-1", ramdisk_id="ari-1")
    await (await house.worker()).remote_run_instance(JOHN, 1)
    assert sorted(house.images.fetched) == ["aki-1", "ami-tiny", "ari-1"]


async def test_run_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Building takes two transactions and one call."""
    await house.row()
    worker = await house.worker()
    transactions = []

    def counted(inner: Callable[..., Any]) -> Callable[..., Any]:
        def count(*args: Any) -> Any:
            transactions.append(args)
            return inner(*args)

        return count

    for name in ("run", "read"):
        monkeypatch.setattr(house.database, name, counted(getattr(house.database, name)))
    await worker.remote_run_instance(JOHN, 1)
    assert len(transactions) == 2
    assert house.network.calls == ["allocate"]


async def test_run_twice(house: House) -> None:
    """A message that comes again finds the instance built, and does nothing."""
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    before = await house.now()
    await worker.remote_run_instance(JOHN, 1)
    assert await house.now() == before
    assert house.network.calls == ["allocate"]


async def test_run_unknown(house: House) -> None:
    """A message for an instance that is not there is passed over."""
    await (await house.worker()).remote_run_instance(JOHN, 99)
    assert house.network.calls == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NoMoreAddresses("10.0.0.0/24 is full"), "Every address of the network is taken"),
        (NetworkNotFound("none"), "There is no network for the instance"),
        (RemoteError("internal error"), "The instance could not be built by a fault of the cloud"),
    ],
)
async def test_no_address(house: House, logged_errors: Any, error: Exception, reason: str) -> None:
    """Without an address an instance is in error and says why; the cause is in the log."""
    await house.row()
    house.network.error = error
    await (await house.worker()).remote_run_instance(JOHN, 1)
    row = await house.now()
    assert row.state_description == "error"
    assert row.reason is not None and row.reason.startswith(reason)
    assert house.empty()
    assert len(logged_errors.flush(type(error))) == 1


async def test_no_image(house: House, logged_errors: Any) -> None:
    """An image that can't be fetched is an error, and the address is free again."""
    await house.row()
    house.images.error = ImageError("broke off after 7 bytes")
    await (await house.worker()).remote_run_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.state) == ("error", Power.FAILED)
    assert row.reason == "An image of the instance could not be fetched"
    assert house.network.held == set() and house.empty()
    assert len(logged_errors.flush(ImageError)) == 1


async def test_spawn_fails(house: House, logged_errors: Any) -> None:
    """What the hypervisor said stays in the log; the row has a sentence and an action."""
    await house.row()
    house.driver.spawn_error = VirtError("libvirt: /secret/path: no such file")
    await (await house.worker()).remote_run_instance(JOHN, 1)
    row = await house.now()
    assert row.reason == "The hypervisor could not start the guest"
    assert house.network.held == set()
    written = await house.database.read(
        lambda txn: txn.execute(select(instance_actions.c.error)).scalars().all()
    )
    assert written == [row.reason]
    assert len(logged_errors.flush(VirtError)) == 1


async def test_program_fails(house: House, logged_errors: Any) -> None:
    """A program that fails on the host does not show its arguments to the owner."""
    await house.row()
    house.driver.spawn_error = ProcessFailed(("cp", "/secret"), 1, "no space")
    await (await house.worker()).remote_run_instance(JOHN, 1)
    assert (await house.now()).reason == "The host could not prepare the guest"
    logged_errors.flush(ProcessFailed)


async def test_address_owed(house: House, logged_errors: Any) -> None:
    """An address that can't be given back now is given back later, even by another run."""
    await house.row()
    house.driver.spawn_error = VirtError("no")
    worker = await house.worker()

    async def spawn(spec: GuestSpec) -> None:
        house.network.error = RemoteTimeout("no answer")
        raise VirtError("no")

    house.driver.spawn = spawn  # type: ignore[method-assign]
    await worker.remote_run_instance(JOHN, 1)
    logged_errors.flush(VirtError)
    assert await house.state() == "error"
    assert house.network.held == {1}
    await worker.periodic()
    assert house.network.held == {1}
    house.network.error = None
    await worker.periodic()
    assert house.network.held == set()
    house.network.held = {1}
    await house.worker()
    assert house.network.held == set()
    await worker.periodic()
    assert house.network.calls[-2:] == ["deallocate", "deallocate"]


async def test_terminated_while_building(house: House) -> None:
    """An instance that is terminated while it is built leaves nothing."""
    await house.row(host="HostA")
    worker = await house.worker()
    house.images.gate = Deferred()
    building = Deferred.fromCoroutine(worker.remote_run_instance(JOHN, 1))
    assert await house.state() == "networking"
    await house.database.run(power.request_termination, JOHN, [1], now())
    ending = Deferred.fromCoroutine(worker.remote_terminate_instance(JOHN, 1))
    house.images.gate.callback(None)
    await building
    assert house.network.held == set() and house.empty()
    await ending
    assert await house.state() == "terminated"


# Ending.


async def test_terminate(house: House) -> None:
    """Nothing is left of an instance that was terminated but its row."""
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    await house.database.run(power.request_termination, JOHN, [1], now())
    await worker.remote_terminate_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.deleted) == ("terminated", True)
    assert house.network.held == set() and house.empty()
    await worker.remote_terminate_instance(JOHN, 1)
    assert await house.now() == row


async def test_terminate_without_guest(house: House) -> None:
    """An instance whose guest is gone is terminated as well."""
    await house.row(state_description=states.TERMINATING, host="HostA")
    worker = await house.worker()
    await worker.remote_terminate_instance(JOHN, 1)
    assert await house.state() == "terminated"


async def test_terminate_needs_request(house: House) -> None:
    """A message alone ends nothing: the row must be terminating."""
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    await worker.remote_terminate_instance(JOHN, 1)
    await worker.remote_terminate_instance(JOHN, 99)
    assert await house.state() == "running"
    assert await house.driver.guests() == {NAME: Power.RUNNING}


async def test_terminate_again(house: House, logged_errors: Any) -> None:
    """What could not be ended stays terminating, and is ended by the next round."""
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    await house.database.run(power.request_termination, JOHN, [1], now())
    house.driver.destroy_error = VirtError("it would not die")
    await worker.remote_terminate_instance(JOHN, 1)
    assert len(logged_errors.flush(VirtError)) == 1
    assert await house.state() == "terminating"
    assert house.network.held == {1}
    house.driver.destroy_error = None
    await worker.periodic()
    assert await house.state() == "terminated"
    assert house.network.held == set() and house.empty()


# Rebooting.


async def _running(house: House) -> ComputeWorker:
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    return worker


async def test_reboot(house: House) -> None:
    """A rebooted instance runs again, with the address it had."""
    worker = await _running(house)
    launched = (await house.now()).launched_at
    events: list[Power] = []
    house.driver.watch(lambda name, power: events.append(power))
    await house.database.run(power.request_reboot, JOHN, [1])
    await worker.remote_reboot_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.launched_at) == ("running", launched)
    assert events == [Power.SHUTOFF, Power.RUNNING]
    await worker.remote_reboot_instance(JOHN, 1)
    assert len(events) == 2


async def test_reboot_starts_stopped(house: House) -> None:
    """An instance that had stopped is started by a reboot."""
    worker = await _running(house)
    house.driver.switch_off(NAME)
    await worker.periodic()
    assert await house.state() == "shutdown"
    await house.database.run(power.request_reboot, JOHN, [1])
    await worker.remote_reboot_instance(JOHN, 1)
    assert await house.state() == "running"
    assert await house.driver.guests() == {NAME: Power.RUNNING}


async def test_reboot_not_begun(house: House, logged_errors: Any) -> None:
    """A reboot that failed before it touched the guest leaves the instance running."""
    worker = await _running(house)
    await house.database.run(power.request_reboot, JOHN, [1])
    house.network.error = RemoteError("internal error")
    await worker.remote_reboot_instance(JOHN, 1)
    assert await house.state() == "running"
    assert len(logged_errors.flush(RemoteError)) == 1


async def test_reboot_fails(house: House, logged_errors: Any) -> None:
    """A guest that does not come up again is stopped, not lost: another reboot may start it."""
    worker = await _running(house)
    await house.database.run(power.request_reboot, JOHN, [1])
    house.driver.switch_off(NAME)
    house.driver.reboot_error = VirtError("no memory")
    await worker.remote_reboot_instance(JOHN, 1)
    logged_errors.flush(VirtError)
    row = await house.now()
    assert row.state_description == "shutdown"
    assert row.reason == "The hypervisor could not start the guest"
    house.driver.reboot_error = None
    await house.database.run(power.request_reboot, JOHN, [1])
    await worker.remote_reboot_instance(JOHN, 1)
    row = await house.now()
    assert (row.state_description, row.reason) == ("running", None)


# Console.


async def test_console(house: House) -> None:
    """The console is text of one character per byte; of no guest, none."""
    worker = await _running(house)
    assert await worker.remote_get_console_output(JOHN, 1) == "FAKE CONSOLE OUTPUT"
    assert await worker.remote_get_console_output(JOHN, 99) == ""

    async def odd(name: str, directory: str) -> bytes:
        return b"\xff\x00"

    house.driver.console_output = odd  # type: ignore[method-assign]
    assert await worker.remote_get_console_output(JOHN, 1) == "\xff\x00"


async def test_console_unreadable(house: House, logged_errors: Any) -> None:
    """Why a console can't be read is not for its reader to know."""
    worker = await house.worker()

    async def broken(name: str, directory: str) -> bytes:
        raise VirtError("/secret/path")

    house.driver.console_output = broken  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match=r"^The console can't be read now$"):
        await worker.remote_get_console_output(JOHN, 1)
    logged_errors.flush(VirtError)


# Events.


async def test_guest_ends(house: House) -> None:
    """A guest that switches itself off stops its instance, without waiting for a round."""
    worker = await _running(house)
    house.driver.switch_off(NAME)
    await worker.stop()  # waits for the look that the event began
    row = await house.now()
    assert (row.state_description, row.state) == ("shutdown", Power.SHUTOFF)
    assert house.network.held == {1}


async def test_guest_ends_at_once(house: House) -> None:
    """A guest that switches itself off before it is said to run is found stopped soon after."""
    await house.row()
    worker = await house.worker()
    real = house.driver.spawn

    async def short(spec: GuestSpec) -> None:
        await real(spec)
        house.driver.switch_off(NAME)

    house.driver.spawn = short  # type: ignore[method-assign]
    await worker.remote_run_instance(JOHN, 1)
    await worker.stop()
    assert await house.state() == "shutdown"


async def test_other_events(house: House) -> None:
    """Guests that are not ours, and starts, are no news."""
    await _running(house)
    for name, seen_power in (("other", Power.SHUTOFF), (NAME, Power.RUNNING)):
        for seen in house.driver._watchers:
            seen(name, seen_power)
    assert await house.state() == "running"


# While a part is away.


AWAY = [("network", RemoteTimeout("no answer")), ("driver", HypervisorAway("nobody there"))]


@pytest.mark.parametrize(("part", "error"), AWAY)
async def test_built_when_the_part_is_back(house: House, part: str, error: Exception) -> None:
    """What a part that is away keeps from being built is no error: asked again, it is built."""
    await house.row()
    worker = await house.worker()
    setattr(getattr(house, part), "error" if part == "network" else "spawn_error", error)
    with pytest.raises(Unavailable):
        await worker.remote_run_instance(JOHN, 1)
    await worker.periodic()
    assert await house.state() == "networking"
    setattr(getattr(house, part), "error" if part == "network" else "spawn_error", None)
    await worker.remote_run_instance(JOHN, 1)
    assert await house.state() == "running"
    assert house.network.held == {1}


async def test_nobody_else_goes_on(house: House) -> None:
    """An instance that another host builds is not this one's to go on with."""
    await house.row(state_description=states.NETWORKING, host="HostB")
    await (await house.worker()).remote_run_instance(JOHN, 1)
    assert house.network.calls == [] and house.empty()


@pytest.mark.parametrize(("part", "error"), AWAY)
async def test_ended_when_the_part_is_back(house: House, part: str, error: Exception) -> None:
    """What a part that is away keeps from being ended is ended when it is asked again."""
    worker = await _running(house)
    await house.database.run(power.request_termination, JOHN, [1], now())
    setattr(getattr(house, part), "error" if part == "network" else "destroy_error", error)
    with pytest.raises(Unavailable):
        await worker.remote_terminate_instance(JOHN, 1)
    assert await house.state() == "terminating"
    setattr(getattr(house, part), "error" if part == "network" else "destroy_error", None)
    await worker.remote_terminate_instance(JOHN, 1)
    assert await house.state() == "terminated"
    assert house.network.held == set() and house.empty()


async def test_rebooted_when_the_hypervisor_is_back(house: House) -> None:
    """A reboot that finds no hypervisor is done when it is asked again."""
    worker = await _running(house)
    await house.database.run(power.request_reboot, JOHN, [1])
    house.driver.reboot_error = HypervisorAway("nobody there")
    with pytest.raises(Unavailable):
        await worker.remote_reboot_instance(JOHN, 1)
    assert await house.state() == "rebooting"
    house.driver.reboot_error = None
    await worker.remote_reboot_instance(JOHN, 1)
    assert await house.state() == "running"


# After a crash.


@pytest.mark.parametrize("step", ["address", "images", "spawn", "spawned"])
async def test_killed_while_building(house: House, step: str) -> None:
    """Killed in any step of building, it is built to the end by the next worker."""
    await house.row(host="HostA")
    never: Deferred[Any] = Deferred()
    reached: Deferred[None] = Deferred()
    real = house.driver.spawn

    async def hang(*args: object) -> Any:
        if step == "spawned":
            await real(*args)  # type: ignore[arg-type]
        elif step == "spawn":
            (house.path / NAME).mkdir()
            (house.path / NAME / "disk").write_text("half")
        reached.callback(None)
        await never

    if step == "address":
        house.network.allocate_fixed_ip = hang  # type: ignore[method-assign]
    elif step == "images":
        house.images.fetch = hang  # type: ignore[method-assign]
    else:
        house.driver.spawn = hang  # type: ignore[method-assign]
    killed = Deferred.fromCoroutine((await house.worker()).remote_run_instance(JOHN, 1))
    await reached
    if step == "address":
        del house.network.allocate_fixed_ip  # type: ignore[method-assign]

    successor = House(house.database, house.path)
    successor.network = house.network
    worker = await successor.worker()
    await worker.remote_run_instance(JOHN, 1)  # the broker delivers it again
    row = await successor.now()
    assert row.state_description == "running" and row.launched_at is not None
    assert house.network.held == {1}
    assert await successor.driver.guests() == {NAME: Power.RUNNING}
    killed.addErrback(lambda failure: None)
    killed.cancel()


async def test_restart_keeps_guests(house: House) -> None:
    """Guests that run are left alone by a restart."""
    await (await _running(house)).stop()
    before = await house.now()
    await house.worker()
    assert await house.now() == before
    assert await house.driver.guests() == {NAME: Power.RUNNING}


async def test_restart_finds_stopped(house: House) -> None:
    """After the host went down an instance is stopped, with its disks and its address."""
    await (await _running(house)).stop()
    house.driver.switch_off(NAME)
    await house.worker()
    assert await house.state() == "shutdown"
    assert not house.empty()
    assert house.network.held == {1}


@pytest.fixture
def returned(house: House, monkeypatch: pytest.MonkeyPatch) -> list[RequestContext]:
    """In whose name addresses are given back."""
    contexts: list[RequestContext] = []

    async def give_back(context: RequestContext, *_: object) -> None:
        contexts.append(context)

    monkeypatch.setattr(house.network, "deallocate_fixed_ip", give_back)
    return contexts


async def test_an_address_is_given_back_for_the_request(
    house: House, returned: list[RequestContext], logged_errors: Any
) -> None:
    """The network worker's lines of a launch that fails are found by its request's id."""
    await house.row()
    worker = await house.worker()
    house.images.error = ImageError("it is no image")
    with in_context(JOHN):
        await worker.remote_run_instance(JOHN, 1)
    assert await house.state() == "error"
    assert [(each.request_id, each.is_admin) for each in returned] == [(JOHN.request_id, True)]
    assert len(logged_errors.flush(ImageError)) == 1


async def test_restart_ends_terminating(house: House, returned: list[RequestContext]) -> None:
    """What was terminating when the daemon ended is ended at the next start, in one context."""
    await house.row(state_description=states.TERMINATING, host="HostA")
    await house.guest()
    with logged_lines() as lines:
        await house.worker()
    assert await house.state() == "terminated"
    assert house.empty()
    [decided] = lines.of("instance 1: ")
    assert decided is not None and [each.request_id for each in returned] == [decided]


async def test_lost_reboot(house: House) -> None:
    """A reboot whose message was lost is done by a later round."""
    long_ago = now() - timedelta(minutes=5)
    await house.row(state_description=states.REBOOTING, host="HostA", updated_at=long_ago)
    await house.guest()
    await house.worker()
    assert await house.state() == "running"


async def test_lost_message(house: House) -> None:
    """An instance of this host whose message was lost is built by a later round."""
    long_ago = now() - timedelta(minutes=5)
    await house.row(host="HostA", scheduled_at=long_ago)
    await house.row(id=2, host="HostB", scheduled_at=long_ago, mac_address="02:16:3e:00:00:02")
    await house.worker()
    assert await house.state() == "running"
    assert await house.state(2) == "scheduling"


async def test_strays_removed(house: House) -> None:
    """Guests of instances that are terminated, or never were, are ended; others' are not."""
    await house.row(id=1, state_description=states.TERMINATED, host="HostA", deleted=True)
    await house.row(
        id=2, state_description=states.RUNNING, host="HostB", mac_address="02:16:3e:00:00:02"
    )
    for each in (1, 2, 3):
        await house.guest(each)
    (house.path / "keep").mkdir()
    await house.worker()
    assert await house.driver.guests() == {"instance-00000002": Power.RUNNING}
    assert (house.path / "keep").is_dir()


async def test_error_leaves_nothing(house: House) -> None:
    """What is left of an instance in error goes at the next round."""
    await house.row(state_description=states.ERROR, host="HostA")
    await house.guest()
    house.network.held = {1}
    await house.worker()
    assert await house.state() == "error"
    assert house.empty() and house.network.held == set()


async def test_round_leaves_work_alone(house: House) -> None:
    """A round does not touch what is being built."""
    await house.row(host="HostA")
    worker = await house.worker()
    house.images.gate = Deferred()
    building = Deferred.fromCoroutine(worker.remote_run_instance(JOHN, 1))
    await worker.periodic()
    assert await house.state() == "networking"
    house.images.gate.callback(None)
    await building
    assert await house.state() == "running"


async def test_round_ignores_old_sight(house: House) -> None:
    """An instance that was built while a round looked is not judged by what it saw before."""
    await house.row(host="HostA")
    worker = await house.worker()
    house.images.gate = Deferred()
    building = Deferred.fromCoroutine(worker.remote_run_instance(JOHN, 1))
    real = house.driver.guests
    looked: Deferred[None] = Deferred()

    async def slow() -> Any:
        before = await real()
        await looked
        return before

    house.driver.guests = slow  # type: ignore[method-assign]
    looking = Deferred.fromCoroutine(worker.periodic())
    house.driver.guests = real  # type: ignore[method-assign]
    house.images.gate.callback(None)
    await building
    looked.callback(None)
    await looking
    assert await house.state() == "running"
    assert house.network.held == {1}


async def test_one_failure_stops_no_round(house: House, logged_errors: Any) -> None:
    """An instance that can't be settled does not keep the others from it."""
    await house.row(id=1, state_description=states.TERMINATING, host="HostA")
    await house.row(
        id=2, state_description=states.RUNNING, host="HostA", mac_address="02:16:3e:00:00:02"
    )
    house.driver.destroy_error = OSError("disk on fire")
    await house.worker()
    assert [await house.state(each) for each in (1, 2)] == ["terminating", "shutdown"]
    assert len(logged_errors.flush(OSError)) == 1


async def test_no_hypervisor(house: House) -> None:
    """A worker without a hypervisor does not start, and says so in a sentence."""
    house.driver.unreachable = True
    with pytest.raises(StartupError, match="can't reach the hypervisor: nobody there"):
        await house.worker()


async def test_stop(house: House) -> None:
    """After its end a worker looks at nothing."""
    worker = await _running(house)
    await worker.stop()
    house.driver.switch_off(NAME)
    await worker.periodic()
    assert await house.state() == "running"


# Images that are kept.


async def test_kept_images(house: House) -> None:
    """In its rounds a host forgets images that are gone and of no instance here, and no others."""
    booted = {"image_id": "ami-a", "kernel_id": "aki-a", "ramdisk_id": "ari-a"}
    await house.row(state_description=states.SHUTDOWN, host="HostA", **booted)
    await house.row(id=2, state_description=states.TERMINATED, host="HostA", image_id="ami-t")
    await house.row(id=3, state_description=states.RUNNING, host="HostB", image_id="ami-b")
    for image_id, state in (("ami-there", "available"), ("ami-failed", "failed")):
        await house.image(image_id)
        await house.database.run(
            lambda txn, it=image_id, to=state: txn.execute(
                update(images).where(images.c.id == it).values(state=to)
            )
        )
    worker = await house.worker()
    kept = {*booted.values(), "ami-a+5000", "ami-there", "ami-rescue", "aki-rescue", "ari-rescue"}
    gone = {"ami-t", "ami-b", "ami-failed", "ami-never", "ami-never+5000"}
    for name in kept | gone | {"ami-new"}:
        file = house.path / "_base" / name
        file.write_bytes(b"image")
        if name != "ami-new":
            os.utime(file, (1e9, 1e9))
    await worker.periodic()
    assert set(os.listdir(house.path / "_base")) == kept | {"ami-new"}


@pytest.mark.parametrize("state", [states.RESCUING, states.RESCUED, states.UNRESCUING])
async def test_kept_images_of_a_rescue(house: House, state: str) -> None:
    """While an instance is rescued no image is forgotten: its disk may be over any."""
    await house.row(state_description=state, host="HostA")
    ids = ("ami-never", "ami-tiny")
    assert await house.database.read(transactions.unneeded, "HostA", ids) == frozenset()
    found = await house.database.read(transactions.unneeded, "HostB", ids)
    assert found == frozenset(ids)
