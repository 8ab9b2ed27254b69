"""Files of images that compute hosts bring: whole and safe, or not there at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred

from nova_tx.context import RequestContext
from nova_tx.db import announced_images, images
from nova_tx.errors import ImageError, ImageNotFound, ImageUnavailable
from nova_tx.image import sender
from nova_tx.model.images import ImageSource
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import RunningObjectstore, running_objectstore

JOE = RequestContext("joe", "joe")
SOURCE = ImageSource(10, None, None, "x86_64")
DISK = b"a guest wrote this" * 10_000 + bytes(5 * 2**20) + b"x" * 100_000 + bytes(2**20)


@pytest_twisted.async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningObjectstore]:
    """An objectstore."""
    from twisted.internet import reactor

    async with running_objectstore(tmp_path, memory_database(), reactor) as found:
        yield found


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The file of a disk."""
    path = tmp_path / "disk"
    path.write_bytes(DISK)
    return path


def _left(running: RunningObjectstore) -> list[str]:
    """All there is below images_path."""
    found = running.directory / "images"
    return sorted(str(each.relative_to(found)) for each in found.rglob("*"))


async def _announce(running: RunningObjectstore) -> str:
    image_id: str = await running.images.announce(JOE, SOURCE, "golden", None)
    return image_id


async def _state(running: RunningObjectstore, image_id: str) -> str:
    state: str = (await running.images.show(JOE, image_id)).state
    return state


async def test_holes(running: RunningObjectstore, disk: Path) -> None:
    """An image has the bytes that were brought; zeros of it take no room on the disk."""
    image_id = await _announce(running)
    await running.images.bring(JOE, image_id, str(disk))
    path = running.directory / "images" / image_id / "image"
    assert path.read_bytes() == DISK
    assert path.stat().st_blocks * 512 < 2**21
    assert path.stat().st_mode & 0o777 == 0o600
    assert _left(running) == [".new", image_id, f"{image_id}/image"]


async def test_broken_off(
    running: RunningObjectstore, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload that breaks off in the middle leaves nothing, and may be done again."""
    image_id = await _announce(running)
    went_on = sender.FileSender._came
    gone = 0

    def came(self: sender.FileSender, data: bytes) -> None:
        nonlocal gone
        gone += len(data)
        went_on(self, data if gone < 2**20 else b"")

    with monkeypatch.context() as patch:
        patch.setattr(sender.FileSender, "_came", came)
        with pytest.raises(ImageError, match="could not be read"):
            await running.images.bring(JOE, image_id, str(disk))
    assert await _state(running, image_id) == "pending"
    await running.close()
    assert _left(running) == [".new"]
    await running.open()
    await running.images.bring(JOE, image_id, str(disk))
    assert await _state(running, image_id) == "available"


async def test_end_before_the_row_says_so(running: RunningObjectstore, disk: Path) -> None:
    """A file whose row was not told is out of sight after the next start, and brought anew."""
    image_id = await _announce(running)
    await running.images.bring(JOE, image_id, str(disk))
    await running.database.run(
        images.advance, image_id, images.AVAILABLE, images.PENDING, size=None
    )
    (running.directory / "images" / ".new" / "0123").mkdir()
    await running.close()
    await running.open()
    assert not any((running.directory / "images" / ".new").iterdir())
    assert await _state(running, image_id) == "pending"
    disk.write_bytes(b"another state of it")
    await running.images.bring(JOE, image_id, str(disk))
    image = await running.images.show(JOE, image_id)
    assert (image.state, image.size) == ("available", 19)


async def test_again_before_the_row_says_so(running: RunningObjectstore, disk: Path) -> None:
    """A file in the way of one that is brought is replaced."""
    image_id = await _announce(running)
    shelf = Shelf(str(running.directory / "images"), InlinePool())
    directory = shelf.begin()
    Path(directory, "image").write_bytes(b"of an attempt before")
    shelf.place(directory, image_id)
    await running.images.bring(JOE, image_id, str(disk))
    assert Path(shelf.file(image_id)).read_bytes() == DISK


async def test_two_at_once(running: RunningObjectstore, disk: Path) -> None:
    """A file that is brought twice at once is there once."""
    image_id = await _announce(running)
    both = [
        Deferred.fromCoroutine(running.images.bring(JOE, image_id, str(disk))) for _ in range(2)
    ]
    for each in both:
        await each
    assert (running.directory / "images" / image_id / "image").read_bytes() == DISK
    assert _left(running) == [".new", image_id, f"{image_id}/image"]


@pytest.mark.parametrize("ending", ["deregister", "abandon"])
async def test_not_wanted_any_more(
    running: RunningObjectstore, disk: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that is given up while its file comes gets none."""
    image_id = await _announce(running)
    begin = Shelf.begin

    def ended_meanwhile(self: Shelf) -> str:
        _ = Deferred.fromCoroutine(running.database.run(_end, image_id, ending))
        return begin(self)

    monkeypatch.setattr(Shelf, "begin", ended_meanwhile)
    with pytest.raises((ImageNotFound, ImageUnavailable)):
        await running.images.bring(JOE, image_id, str(disk))
    assert _left(running) == [".new"]


def _end(txn: Any, image_id: str, ending: str) -> None:
    if ending == "deregister":
        images.delete(txn, "joe", False, image_id)
    else:
        announced_images.abandon(txn, image_id, "a reason")


async def test_too_large(running: RunningObjectstore, disk: Path) -> None:
    """A file larger than images may be is refused before it is taken."""
    image_id = await _announce(running)
    with disk.open("r+b") as file:
        file.truncate(2**42)
    with pytest.raises(ImageError, match="larger than"):
        await running.images.bring(JOE, image_id, str(disk))
    assert _left(running) == [".new"]


async def test_deregistered(running: RunningObjectstore) -> None:
    """Deregistered while it waits, an announced image is gone with its row."""
    image_id = await _announce(running)
    await running.images.deregister(JOE, image_id)
    assert await running.database.read(images.deleted) == ()
    with pytest.raises(ImageNotFound):
        await running.images.show(JOE, image_id)
