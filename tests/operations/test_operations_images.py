"""Images of instances: what is told again, and what their names may be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import insert
from twisted.internet.task import Clock

from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext
from nova_tx.db import announced_images
from nova_tx.db.engine import Database
from nova_tx.db.schema import instances
from nova_tx.errors import ImageNotFound, ImageUnavailable, MalformedImageName, Unavailable
from nova_tx.image.memory import MemoryImages, machine_image
from nova_tx.model.images import ImageChange, ImageSource
from nova_tx.operations.images import Images, check_name
from nova_tx.recent import SECONDS
from nova_tx.testing.ec2 import ImageShelf, Notebook, an_image
from nova_tx.testing.rows import an_instance

JOE = RequestContext("joe", "joe")


async def test_told_again(database: Database) -> None:
    """A host that was not told is told when an API starts; who has no host any more fails."""
    bus, shelf = Notebook(), MemoryImages()
    images = Images(shelf, database, ComputeClient(bus, "compute"), Clock())
    row = vars(an_instance(id=7, host="HostB", state_description="imaging"))
    await database.run(lambda txn: txn.execute(insert(instances).values(**row)))
    for image_id, instance_id in (("ami-1", 7), ("ami-2", 8)):
        source = ImageSource(instance_id, None, None, "x86_64")
        await database.run(announced_images.announce, JOE, image_id, source, image_id, None)
        image = machine_image(image_id, "joe", state="pending")
        shelf.add(replace(image, instance_id=instance_id))
    await images.resume()
    told = ("compute.HostB", "create_image", {"instance_id": 7, "image_id": "ami-1"})
    assert bus.casts == [told]
    assert (await shelf.show(JOE, "ami-1")).state == "pending"
    lost = await shelf.show(JOE, "ami-2")
    assert (lost.state, lost.state_reason) == ("failed", "its instance is gone")


async def test_host_that_cannot_be_told(database: Database) -> None:
    """An image is there though its host can't be told yet: the host finds it by itself."""
    bus, shelf = Notebook(), MemoryImages()
    bus.failure = Unavailable("the broker is away")
    images = Images(shelf, database, ComputeClient(bus, "compute"), Clock())
    row = vars(an_instance(id=7, host="HostB", state_description="running", project_id="joe"))
    await database.run(lambda txn: txn.execute(insert(instances).values(**row)))
    image_id = await images.create(JOE, 7, "golden", None, no_reboot=True)
    assert (await shelf.show(JOE, image_id)).state == "pending"


@pytest.mark.parametrize("name", ["abc", "a" * 128, "My (new) [image] v1.2/x-y_z'@"])
def test_names(name: str) -> None:
    """A name is 3 to 128 of the characters that AWS allows."""
    check_name(name)


@pytest.mark.parametrize("name", ["", "ab", "a" * 129, "abc\n", "a+bc", "naïve", "a:bc"])
def test_malformed_names(name: str) -> None:
    """Anything else is no name."""
    with pytest.raises(MalformedImageName):
        check_name(name)


async def test_used_again(database: Database) -> None:
    """An image that is used again within the second is not asked for again; later it is."""
    shelf, clock = ImageShelf(), Clock()
    clock.advance(1e9)
    images = Images(shelf, database, ComputeClient(Notebook(), "compute"), clock)
    shelf.put(an_image())
    for _ in range(3):
        assert (await images.usable(JOE, "ami-tiny")).id == "ami-tiny"
    assert len(shelf.shown) == 1
    clock.advance(SECONDS)
    await images.usable(JOE, "ami-tiny")
    assert len(shelf.shown) == 2


async def test_who_may_use_it_is_remembered_apart(database: Database) -> None:
    """What one project, or an administrator, was shown is no leave for another."""
    shelf, clock = MemoryImages(), Clock()
    clock.advance(1e9)
    images = Images(shelf, database, ComputeClient(Notebook(), "compute"), clock)
    shelf.add(machine_image("ami-1", "joe", state="available"))
    assert await images.usable(JOE, "ami-1")
    assert await images.usable(RequestContext("eve", "eve", is_admin=True), "ami-1")
    with pytest.raises(ImageNotFound):
        await images.usable(RequestContext("eve", "eve"), "ami-1")


async def test_unusable_is_not_remembered(database: Database) -> None:
    """An image that was not there yet is used as soon as it is available."""
    shelf, clock = MemoryImages(), Clock()
    images = Images(shelf, database, ComputeClient(Notebook(), "compute"), clock)
    with pytest.raises(ImageNotFound):
        await images.usable(JOE, "ami-1")
    shelf.add(machine_image("ami-1", "joe", state="pending"))
    with pytest.raises(ImageUnavailable):
        await images.usable(JOE, "ami-1")
    shelf.add(machine_image("ami-1", "joe", state="available"))
    assert await images.usable(JOE, "ami-1")


async def test_changes_count_at_once(database: Database) -> None:
    """What is closed to a project, or deregistered, is used no more from then on."""
    shelf, clock = MemoryImages(), Clock()
    clock.advance(1e9)
    images = Images(shelf, database, ComputeClient(Notebook(), "compute"), clock)
    eve = RequestContext("eve", "eve")
    shelf.add(machine_image("ami-1", "joe", is_public=True, state="available"))
    assert await images.usable(JOE, "ami-1") and await images.usable(eve, "ami-1")
    await images.change(JOE, "ami-1", ImageChange(is_public=False))
    with pytest.raises(ImageNotFound):
        await images.usable(eve, "ami-1")
    assert await images.usable(JOE, "ami-1")
    await images.deregister(JOE, "ami-1")
    with pytest.raises(ImageNotFound):
        await images.usable(JOE, "ami-1")
