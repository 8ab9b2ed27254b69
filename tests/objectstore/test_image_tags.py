"""Tags of new images: written in the transaction that writes the image, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.errors import DuplicateImageName, InvalidInput, TooManyTags
from nova_tx.model.images import ImageSource, NewImage
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import RunningObjectstore, make_bundle, put, running_objectstore

JOE = RequestContext("joe", "joe")
NEW = NewImage("bucket/disk.manifest.xml", "golden")
#: The most, and the longest, that an image may have.
MANY = tuple((f"{number:03}" + "\U0001f600" * 124, "\u00e9" * 255) for number in range(tags.MOST))


@pytest_twisted.async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningObjectstore]:
    """An objectstore with a bundle of joe's."""
    async with running_objectstore(tmp_path, memory_database(), reactor) as found:
        for path in make_bundle(tmp_path / "bundle", b"a disk"):
            put(found.store, "bucket", Path(path).name, Path(path).read_bytes())
        yield found


async def kept(running: RunningObjectstore) -> dict[str, dict[str, str]]:
    """Joe's tags of images, by image."""
    return dict(await running.database.read(tags.of, "joe", "image", tags.EVER))


async def test_registered(running: RunningObjectstore) -> None:
    """An image is registered with the tags that were given, however many and long."""
    image_id = await running.images.register(JOE, NewImage(NEW.location, tags=MANY))
    other = await running.images.register(JOE, NEW)
    assert await kept(running) == {image_id: dict(MANY)}
    for each in (image_id, other):
        await running.settled(each)
    await running.images.deregister(JOE, image_id)
    assert await kept(running) == {}


async def test_announced(running: RunningObjectstore) -> None:
    """So is one that is made of an instance."""
    source = ImageSource(10, None, None, "x86_64", (("a", "1"), ("b", "")))
    image_id = await running.images.announce(JOE, source, "golden", None)
    assert await kept(running) == {image_id: {"a": "1", "b": ""}}


async def test_no_image_no_tags(running: RunningObjectstore) -> None:
    """An image that can't be made leaves no tags."""
    tagged = NewImage(NEW.location, NEW.name, tags=(("a", "1"),))
    first = await running.images.register(JOE, tagged)
    with pytest.raises(DuplicateImageName):
        await running.images.register(JOE, tagged)
    assert await kept(running) == {first: {"a": "1"}}
    await running.settled(first)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"tags": ["a"]}',
        b'{"tags": {"a": 1}}',
        b'{"tags": {"": "a"}}',
        b'{"tags": {"a": "\\ud800"}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
async def test_bad_bodies(running: RunningObjectstore, body: bytes) -> None:
    """A body that says no tags is refused, and makes no image."""
    with pytest.raises(InvalidInput):
        await running.images._create(JOE, [("image_location", NEW.location)], body)
    assert await running.images.list(JOE) == ()


async def test_too_many(running: RunningObjectstore) -> None:
    """The registry itself keeps to the number of tags."""
    with pytest.raises(TooManyTags):
        await running.images.register(JOE, NewImage(NEW.location, tags=(*MANY, ("a", "1"))))
    assert await running.images.list(JOE) == ()
