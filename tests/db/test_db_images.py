"""The registry of images."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from nova_tx.db import images
from nova_tx.db.engine import Database
from nova_tx.errors import Duplicate, ImageNotFound, Unauthorized, WrongState

STATES = (images.PENDING, images.DECRYPTING, images.UNTARRING, images.AVAILABLE)


async def _register(database: Database, image_id: str = "ami-1", owner: str = "joe") -> Any:
    return await database.run(
        images.register, image_id, "b/m", owner, "user", "x86_64", "machine", "aki-1", None
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
    await database.run(images.change, "joe", False, "ami-3", is_public=True)

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
    for attempt in (images.change, images.delete):
        with pytest.raises(ImageNotFound):
            await database.run(attempt, "eve", False, "ami-1")  # type: ignore[arg-type]
    await database.run(images.change, "joe", False, "ami-1", is_public=True, description="d")
    for attempt in (images.change, images.delete):
        with pytest.raises(Unauthorized):
            await database.run(attempt, "eve", False, "ami-1")  # type: ignore[arg-type]
    image = await database.run(images.change, "eve", True, "ami-1", display_name="n")
    assert (image.description, image.display_name) == ("d", "n")
    assert (await database.run(images.delete, "joe", False, "ami-1")).id == "ami-1"
    with pytest.raises(ImageNotFound):
        await database.read(images.get, "joe", False, "ami-1")


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
