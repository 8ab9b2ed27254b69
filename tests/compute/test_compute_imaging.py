"""Images of instances: whether the guest is off meanwhile, and who goes on after a crash."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from nova_tx import states
from nova_tx.compute.worker import ComputeWorker
from nova_tx.context import RequestContext
from nova_tx.db import instances, power
from nova_tx.db.engine import Database, now
from nova_tx.db.schema import images
from nova_tx.errors import ImageError, ImageNotFound, MalformedImageId, Unavailable, VirtError
from nova_tx.states import Power
from nova_tx.testing.house import House

JOHN = RequestContext(user="john", project="physics")
NAME = "instance-00000001"


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


async def _ready(house: House, no_reboot: bool = False) -> ComputeWorker:
    """An instance that runs, of which an image was asked for and announced."""
    await house.row()
    worker = await house.worker()
    await worker.remote_run_instance(JOHN, 1)
    house.driver.asked.clear()
    (house.path / NAME / "disk").write_text("what is on the disk")
    await house.database.run(power.request_image, JOHN, 1, no_reboot)
    await house.image()
    return worker


def _copies(house: House) -> list[str]:
    return sorted(os.listdir(house.path / "_snapshots"))


async def _long_ago(house: House) -> None:
    """Nobody has heard of the image, and of the instance, for five minutes."""
    when = now() - timedelta(minutes=5)

    def write(txn: Any) -> None:
        txn.execute(update(images).values(created_at=when, updated_at=None))
        txn.execute(update(instances.instances).values(updated_at=when))

    await house.database.run(write)


@pytest.mark.parametrize(
    ("no_reboot", "asked"), [(False, ["stop", "snapshot", "start"]), (True, ["snapshot"])]
)
async def test_image(house: House, no_reboot: bool, asked: list[str]) -> None:
    """An image has what was on the disk; its guest runs on, and was off only if it may be."""
    worker = await _ready(house, no_reboot)
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert house.images.brought == {"ami-1": b"what is on the disk"}
    assert (await house.image_now()).state == "available"
    assert await house.state() == "running" and house.driver.asked == asked
    assert (await house.driver.guests())[NAME] == Power.RUNNING
    assert _copies(house) == []
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert house.driver.asked == asked


async def test_image_of_the_stopped(house: House) -> None:
    """An image of a stopped instance does not start it."""
    worker = await _ready(house, no_reboot=True)
    await house.database.run(power.request_stop, JOHN, [1])
    await worker.remote_stop_instance(JOHN, 1)
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert (await house.image_now()).state == "available"
    assert await house.state() == "shutdown" and house.driver.asked == ["stop", "snapshot"]


async def test_runs_on_while_it_is_brought(house: House) -> None:
    """A guest waits for its copy, not for the registry; nor does who asks for something else."""
    worker = await _ready(house)
    house.images.gate = Deferred()
    making = Deferred.fromCoroutine(worker.remote_create_image(JOHN, 1, "ami-1"))
    while await house.state() != "running":
        await deferLater(reactor, 0)  # type: ignore[arg-type]
    again = Deferred.fromCoroutine(worker.remote_create_image(JOHN, 1, "ami-1"))
    await worker.periodic()
    assert _copies(house) == [f"{NAME}.ami-1"]
    await house.database.run(power.request_termination, JOHN, [1], now())
    await worker.remote_terminate_instance(JOHN, 1)
    assert await house.state() == "terminated" and not making.called
    house.images.gate.callback(None)
    await making
    await again
    assert house.images.brought == {"ami-1": b"what is on the disk"}
    assert house.driver.asked.count("snapshot") == 1 and _copies(house) == []


async def test_not_copied(house: House, logged_errors: Any) -> None:
    """An image whose disk can't be copied has failed, and says why; its guest runs again."""
    worker = await _ready(house)
    house.driver.snapshot_error = VirtError("/secret/path: no space")
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert len(logged_errors.flush(VirtError)) == 1
    image = await house.image_now()
    assert image.state == "failed"
    assert image.state_reason == "The disk of the instance could not be copied"
    assert await house.state() == "running" and house.driver.asked[-1] == "start"


async def test_not_brought(house: House, logged_errors: Any) -> None:
    """An image that the registry can't take has failed, and its copy is gone."""
    worker = await _ready(house)
    house.images.bring_error = ImageError("too large")
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert len(logged_errors.flush(ImageError)) == 1
    reason = (await house.image_now()).state_reason
    assert reason == "The copy of the instance's disk could not be stored; make the image again"
    assert await house.state() == "running" and _copies(house) == []


async def test_forgotten(house: House) -> None:
    """An image that was deregistered meanwhile is not made any more, and nothing is left."""
    worker = await _ready(house)
    house.images.bring_error = ImageNotFound("ami-1")
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert await house.state() == "running" and _copies(house) == []


async def test_forgotten_while_it_is_brought(house: House) -> None:
    """A round takes no copy away that is just being brought, wanted or not."""
    worker = await _ready(house)
    house.images.gate = Deferred()
    making = Deferred.fromCoroutine(worker.remote_create_image(JOHN, 1, "ami-1"))
    while not house.images.asked_to_bring:
        await deferLater(reactor, 0)  # type: ignore[arg-type]
    await house.database.run(lambda txn: txn.execute(images.delete()))
    await worker.periodic()
    assert _copies(house) == [f"{NAME}.ami-1"]
    house.images.bring_error = ImageNotFound("ami-1")
    house.images.gate.callback(None)
    await making
    assert _copies(house) == []


async def test_brought_when_the_registry_is_back(house: House) -> None:
    """What the registry can't take now it is brought later, without another copy."""
    worker = await _ready(house)
    house.images.bring_error = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await worker.remote_create_image(JOHN, 1, "ami-1")
    assert await house.state() == "running"
    assert (await house.image_now()).state == "pending"
    (house.path / NAME / "disk").write_text("something else")
    await worker.periodic()
    house.images.bring_error = None
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert house.images.brought == {"ami-1": b"what is on the disk"}


async def test_not_at_rest(house: House) -> None:
    """An instance that is just switched is waited for."""
    worker = await _ready(house, no_reboot=True)
    await house.database.run(power.request_stop, JOHN, [1])
    with pytest.raises(Unavailable, match="stopping"):
        await worker.remote_create_image(JOHN, 1, "ami-1")
    await worker.remote_stop_instance(JOHN, 1)
    await worker.remote_create_image(JOHN, 1, "ami-1")
    assert (await house.image_now()).state == "available"


async def test_of_what_has_ended(house: House) -> None:
    """No image is made of an instance that ended before it was copied."""
    worker = await _ready(house)
    await house.database.run(power.request_termination, JOHN, [1], now())
    await worker.remote_create_image(JOHN, 1, "ami-1")
    image = await house.image_now()
    assert (image.state, image.state_reason) == (
        "failed",
        "The instance ended before it was copied",
    )
    assert await house.state() == "terminating"


async def test_another_instances_image(house: House) -> None:
    """A message names an image of that instance, or does nothing."""
    worker = await _ready(house, no_reboot=True)
    await house.image("ami-2", instance_id=2)
    await house.image("ami-3", instance_id=None)
    for image_id in ("ami-2", "ami-3", "ami-4"):
        await worker.remote_create_image(JOHN, 1, image_id)
    with pytest.raises(MalformedImageId):
        await worker.remote_create_image(JOHN, 1, "../ami-1")
    assert house.images.brought == {} and house.driver.asked == []


# After a crash.


@pytest.mark.parametrize("step", ["stop", "snapshot", "start", "bring"])
async def test_killed(house: House, step: str) -> None:
    """Killed in any step, the image is made by the next worker, of one state of the disk."""
    worker = await _ready(house)
    never: Deferred[Any] = Deferred()
    reached: Deferred[None] = Deferred()

    async def hang(*args: Any) -> None:
        reached.callback(None)
        await never

    setattr(house.images if step == "bring" else house.driver, step, hang)
    killed = Deferred.fromCoroutine(worker.remote_create_image(JOHN, 1, "ami-1"))
    await reached

    successor = House(house.database, house.path)
    worker = await successor.worker()
    await worker.remote_create_image(JOHN, 1, "ami-1")  # the broker delivers it again
    assert successor.images.brought == {"ami-1": b"what is on the disk"}
    assert await successor.state() == "running"
    assert (await successor.driver.guests())[NAME] == Power.RUNNING
    assert _copies(successor) == []
    # once there is a copy the guest is not switched off for it again
    assert ("stop" in successor.driver.asked) == (step in ("stop", "snapshot"))
    killed.addErrback(lambda failure: None)
    killed.cancel()


@pytest.mark.parametrize("no_reboot", [False, True])
async def test_lost_message(house: House, no_reboot: bool) -> None:
    """An image whose message was lost is made by a later round."""
    worker = await _ready(house, no_reboot)
    await worker.periodic()
    assert house.driver.asked == []
    await _long_ago(house)
    await worker.periodic()
    while (await house.image_now()).state != "available" or worker._imaging._alone:
        await deferLater(reactor, 0)  # type: ignore[arg-type]
    assert await house.state() == "running" and _copies(house) == []


async def test_never_announced(house: House) -> None:
    """An instance that was made ready for an image that nobody announced runs again."""
    worker = await _ready(house)
    await house.database.run(lambda txn: txn.execute(images.delete()))
    await worker.periodic()
    assert await house.state() == "imaging"
    await _long_ago(house)
    await worker.periodic()
    assert await house.state() == "running"


async def test_copies_that_nobody_waits_for(house: House) -> None:
    """A copy whose image is there, or was forgotten, goes; one that is waited for stays."""
    worker = await _ready(house)
    (house.path / "_snapshots").mkdir()
    for name in (f"{NAME}.ami-1", f"{NAME}.ami-2", f"{NAME}.ami-3+part"):
        (house.path / "_snapshots" / name).write_text("a copy")
    await worker.periodic()
    assert _copies(house) == [f"{NAME}.ami-1"]
    await worker.stop()


async def test_stop(house: House) -> None:
    """A worker that ends leaves what it began by itself to the next."""
    worker = await _ready(house)
    await _long_ago(house)
    house.images.gate = Deferred()
    await worker.periodic()
    while not house.images.asked_to_bring:
        await deferLater(reactor, 0)  # type: ignore[arg-type]
    await worker.stop()
    assert not worker._imaging._alone
    assert (await house.image_now()).state == "pending"
    assert await house.state() == states.RUNNING
