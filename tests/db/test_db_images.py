"""The registry of images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import insert

from nova_tx.context import RequestContext
from nova_tx.db import announced_images, image_permissions, images
from nova_tx.db.engine import Database
from nova_tx.db.schema import instances
from nova_tx.errors import (
    Duplicate,
    DuplicateImageName,
    ForeignImage,
    ImageNotFound,
    WrongState,
)
from nova_tx.model.images import AwaitedImage, Image, ImageChange, ImageSource, NewImage
from nova_tx.testing.rows import an_instance

STATES = (images.PENDING, images.DECRYPTING, images.UNTARRING, images.AVAILABLE)


async def _register(database: Database, image_id: str = "ami-1", owner: str = "joe") -> Any:
    return await database.run(
        images.register, image_id, owner, "user", NewImage("b/m", kernel_id="aki-1")
    )


async def _change(
    database: Database, project: str, is_admin: bool, image_id: str, **wanted: Any
) -> Image:
    return await database.run(
        image_permissions.change, project, is_admin, image_id, ImageChange(**wanted)
    )


async def test_register(database: Database) -> None:
    """A new image is private, pending, and as it was registered."""
    image = await _register(database)
    assert (image.id, image.location, image.owner) == ("ami-1", "b/m", "joe")
    assert (image.is_public, image.state, image.size) == (False, "pending", None)
    assert (image.kernel_id, image.ramdisk_id, image.display_name) == ("aki-1", None, "")
    assert await database.read(images.get, "joe", False, "ami-1") == image


async def test_duplicate(database: Database) -> None:
    """An id is taken once."""
    await _register(database)
    with pytest.raises(Duplicate):
        await _register(database, owner="eve")
    assert (await database.read(images.get, "joe", False, "ami-1")).owner == "joe"


async def test_advance(database: Database) -> None:
    """An image goes from state to state, each of them once."""
    await _register(database)
    for source, target in pairwise(STATES):
        image = await database.run(images.advance, "ami-1", source, target)
        assert image.state == target
        with pytest.raises(WrongState):
            await database.run(images.advance, "ami-1", source, target)


async def test_advance_columns(database: Database) -> None:
    """Columns are set with the state, or not at all."""
    await _register(database)
    with pytest.raises(WrongState):
        await database.run(images.advance, "ami-1", "decrypting", "untarring", size=5)
    assert (await database.read(images.get, "joe", False, "ami-1")).size is None
    image = await database.run(images.advance, "ami-1", "pending", "decrypting", size=5)
    assert image.size == 5


async def test_fail(database: Database) -> None:
    """An image that is on its way can fail, with a reason; an available one can't."""
    await _register(database)
    assert await database.run(images.fail, "ami-1", "a reason")
    image = await database.read(images.get, "joe", False, "ami-1")
    assert (image.state, image.state_reason) == ("failed", "a reason")
    assert not await database.run(images.fail, "ami-1", "another")
    await _register(database, "ami-2")
    await database.run(images.advance, "ami-2", "pending", "available")
    assert not await database.run(images.fail, "ami-2", "a reason")
    assert not await database.run(images.fail, "ami-3", "a reason")


async def test_who_sees(database: Database) -> None:
    """A project sees its own images and public ones, an administrator all, in order of ids."""
    for image_id, owner in (("ami-3", "joe"), ("ami-1", "joe"), ("ami-2", "eve")):
        await _register(database, image_id, owner)
    await _change(database, "joe", False, "ami-3", is_public=True)

    async def seen(project: str | None, is_admin: bool, *ids: str) -> list[str]:
        found = await database.read(images.listed, project, is_admin, ids)
        return [each.id for each in found]

    assert await seen("joe", False) == ["ami-1", "ami-3"]
    assert await seen("eve", False) == ["ami-2", "ami-3"]
    assert await seen(None, False) == ["ami-3"]
    assert await seen(None, True) == ["ami-1", "ami-2", "ami-3"]
    assert await seen("joe", False, "ami-2", "ami-3", "ami-9") == ["ami-3"]


async def test_who_changes(database: Database) -> None:
    """Only the owner or an administrator may change or delete an image that others see."""
    await _register(database)
    with pytest.raises(ImageNotFound):
        await _change(database, "eve", False, "ami-1")
    with pytest.raises(ImageNotFound):
        await database.run(images.delete, "eve", False, "ami-1")
    await _change(database, "joe", False, "ami-1", is_public=True, description="d")
    with pytest.raises(ForeignImage):
        await _change(database, "eve", False, "ami-1")
    with pytest.raises(ForeignImage):
        await database.run(images.delete, "eve", False, "ami-1")
    image = await _change(database, "eve", True, "ami-1", display_name="n")
    assert (image.description, image.display_name) == ("d", "n")
    assert (await database.run(images.delete, "joe", False, "ami-1")).id == "ami-1"
    with pytest.raises(ImageNotFound):
        await database.read(images.get, "joe", False, "ami-1")


async def test_launchers(database: Database) -> None:
    """Who may launch an image sees it, and nobody else; who else may, its owner alone sees."""
    for image_id in ("ami-1", "ami-2"):
        await _register(database, image_id)
    await _change(database, "joe", False, "ami-1", add=("eve", "bob", "eve"))
    await _change(database, "joe", False, "ami-1", add=("bob", "ann"))

    async def seen(project: str | None, is_admin: bool = False) -> dict[str, tuple[str, ...]]:
        found = await database.read(images.listed, project, is_admin)
        return {each.id: each.launch_projects for each in found}

    assert await seen("joe") == {"ami-1": ("ann", "bob", "eve"), "ami-2": ()}
    assert await seen("eve") == {"ami-1": ("eve",)}
    assert await seen("dan") == {}
    assert await seen("root", True) == await seen("joe")
    assert (await database.read(images.get, "bob", False, "ami-1")).launch_projects == ("bob",)
    await _change(database, "joe", False, "ami-1", add=("dan",), remove=("bob", "dan", "eve"))
    assert (await seen("joe"))["ami-1"] == ("ann", "dan")
    await _change(database, "joe", False, "ami-1", is_public=True)
    image = await _change(database, "joe", False, "ami-1", reset=True)
    assert (image.is_public, image.launch_projects) == (False, ())
    assert await seen("ann") == {}


async def test_forgotten_launchers(database: Database) -> None:
    """The permissions of an image go with its row."""
    await _register(database)
    await _change(database, "joe", False, "ami-1", add=("eve",))
    await database.run(images.delete, "joe", False, "ami-1")
    await database.run(images.forget, "ami-1")
    assert (await _register(database)).launch_projects == ()


async def test_a_deleted_image_is_remembered_until_it_is_forgotten(database: Database) -> None:
    """A deleted image is hidden; its id is free once its row is forgotten, and not before."""
    for image_id in ("ami-1", "ami-2"):
        await _register(database, image_id)
    await database.run(images.delete, "joe", False, "ami-1")
    assert await database.read(images.deleted) == ("ami-1",)
    assert not await database.run(images.again, "ami-1")
    assert not await database.run(images.fail, "ami-1", "a reason")
    with pytest.raises(Duplicate):
        await _register(database)
    for image_id in ("ami-1", "ami-2"):
        await database.run(images.forget, image_id)
    assert [each.id for each in await database.read(images.listed, None, True)] == ["ami-2"]
    assert await _register(database)


async def test_unfinished(database: Database) -> None:
    """What is neither available nor failed is unfinished, and may begin again."""
    for image_id in ("ami-1", "ami-2", "ami-3"):
        await _register(database, image_id)
    await database.run(images.advance, "ami-1", "pending", "untarring")
    await database.run(images.advance, "ami-2", "pending", "available")
    await database.run(images.fail, "ami-3", "a reason")
    [(image, user)] = await database.read(images.unfinished)
    assert (image.id, image.state, user) == ("ami-1", "untarring", "user")
    for image_id in ("ami-1", "ami-2", "ami-3"):
        await database.run(images.again, image_id)
    found = await database.read(images.listed, None, True)
    assert [each.state for each in found] == ["pending", "available", "failed"]


async def test_progress(database: Database) -> None:
    """How far an image is, is written down while it is on its way, and forgotten then."""

    async def progress(image_id: str) -> int | None:
        return (await database.read(images.get, "joe", False, image_id)).progress

    await _register(database)
    assert await progress("ami-1") is None
    await database.run(images.advance, "ami-1", images.PENDING, images.COPYING)
    await database.run(images.progressed, "ami-1", 42)
    assert await progress("ami-1") == 42
    await database.run(images.advance, "ami-1", images.COPYING, images.CONVERTING)
    assert await progress("ami-1") == 42
    await database.run(images.again, "ami-1")
    assert await progress("ami-1") is None
    await database.run(images.progressed, "ami-1", 99)
    await database.run(images.advance, "ami-1", images.PENDING, images.AVAILABLE, size=1)
    await database.run(images.progressed, "ami-1", 99)
    assert await progress("ami-1") is None
    await _register(database, "ami-2")
    await database.run(images.progressed, "ami-2", 7)
    await database.run(images.fail, "ami-2", "a reason")
    assert await progress("ami-2") is None


async def test_names(database: Database) -> None:
    """Two images of a project can't have one name; nameless ones are many."""
    golden = NewImage("b/m", "golden", "all is set up")
    await database.run(images.register, "ami-1", "joe", "user", golden)
    image = await database.read(images.get, "joe", False, "ami-1")
    assert (image.display_name, image.description) == ("golden", "all is set up")
    with pytest.raises(DuplicateImageName, match="ami-1"):
        await database.run(images.register, "ami-2", "joe", "user", golden)
    for image_id in ("ami-2", "ami-3"):
        await database.run(images.register, image_id, "joe", "user", NewImage("b/m"))


async def test_awaited(database: Database) -> None:
    """What waits for a compute host is awaited from there, and never begins again here."""
    row = vars(an_instance(id=7, host="HostB"))
    await database.run(lambda txn: txn.execute(insert(instances).values(**row)))
    joe = RequestContext("user", "joe")
    for image_id, instance_id in (("ami-1", 7), ("ami-2", 12345)):
        source = ImageSource(instance_id, None, None, "x86_64")
        await database.run(announced_images.announce, joe, image_id, source, image_id, None)
    await _register(database, "ami-3")
    here = AwaitedImage("ami-1", 7, "HostB", "user", "joe")
    lost = AwaitedImage("ami-2", 12345, None, "user", "joe")
    assert await database.read(announced_images.awaited) == (here, lost)
    assert await database.read(announced_images.awaited, "HostB") == (here,)
    assert await database.read(announced_images.awaited, "HostC") == ()
    assert [each.id for each, _ in await database.read(images.unfinished)] == ["ami-3"]
    assert await database.run(announced_images.abandon, "ami-2", "it is gone")
    assert not await database.run(announced_images.abandon, "ami-2", "again")
    assert not await database.run(announced_images.abandon, "ami-3", "not announced")
    assert await database.read(announced_images.awaited) == (here,)
