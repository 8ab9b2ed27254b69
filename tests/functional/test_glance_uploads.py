"""Uploads to Debian's Glance that break off: because of us, because of it, because of others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from nova_tx.errors import ImageError, Unavailable
from nova_tx.image import glance_delivery
from nova_tx.image.glance_delivery import GlanceDelivery
from nova_tx.image.glance_ids import to_uuid
from nova_tx.model.images import ImageChange, NewImage
from nova_tx.objectstore import handover
from nova_tx.testing.conformance.image import CONTENT, DISK, JOE, LOCATION, SOURCE
from nova_tx.testing.database import memory_database
from nova_tx.testing.glance_server import GlanceServer
from nova_tx.testing.glance_world import OPERATOR, GlanceWorld, glance_world
from nova_tx.testing.ports import free_port
from nova_tx.testing.relay import Relay

#: Bytes of a request that Glance gets: its headers, and some of the file.
_SOME = 4096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlanceServer]:
    """A Glance."""
    server = GlanceServer(tmp_path_factory.mktemp("uploads") / "glance", free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Glance that was away is asked again soon."""
    monkeypatch.setattr(handover, "PAUSE", 0.1)


@asynccontextmanager
async def _world(server: GlanceServer, directory: Path) -> AsyncIterator[tuple[GlanceWorld, Relay]]:
    from twisted.internet import reactor

    relay = Relay(reactor, server.port)
    database = memory_database()
    try:
        async with glance_world(directory, database, reactor, relay.from_port) as world:
            yield world, relay
    finally:
        await relay.close()


async def _announced(world: GlanceWorld, directory: Path) -> tuple[str, str]:
    """An image that is to come, and the disk that it is of."""
    (directory / "disk").write_bytes(DISK)
    return await world.images.announce(JOE, SOURCE, "golden", None), str(directory / "disk")


async def _broken_off(world: GlanceWorld, relay: Relay, image_id: str, path: str) -> None:
    """Bring an image, of which Glance gets the beginning, and is at work on it."""
    held = relay.hold(_SOME)
    bringing = Deferred.fromCoroutine(world.images.bring(JOE, image_id, path))
    await held
    await _saving(world, image_id)
    relay.cut()
    with pytest.raises(Unavailable):
        await bringing


async def _brought(world: GlanceWorld, image_id: str, path: str) -> None:
    """Bring an image, as often as the image service is said to be away."""
    from twisted.internet import reactor

    while True:
        try:
            return await world.images.bring(JOE, image_id, path)
        except Unavailable:
            await deferLater(reactor, 0.1)


async def _saving(world: GlanceWorld, image_id: str) -> None:
    from twisted.internet import reactor

    while (await _status(world, image_id)) != "saving":
        await deferLater(reactor, 0.01)


async def _status(world: GlanceWorld, image_id: str) -> str | None:
    said = await world.glance.get(OPERATOR, str(to_uuid(image_id)))
    return None if said is None else str(said["status"])


async def _in_glance(world: GlanceWorld) -> list[str]:
    return [each["id"] for each in await world.glance.list(OPERATOR)]


async def _check_whole(
    world: GlanceWorld, server: GlanceServer, image_id: str, content: bytes
) -> None:
    """The image is all that there is, and is right."""
    assert (await world.images.show(JOE, image_id)).state == "available"
    uuid = str(to_uuid(image_id))
    assert await _in_glance(world) == [uuid]
    assert (server.directory / "files" / uuid).read_bytes() == content
    assert await world.rows() == frozenset()


async def test_brought_again(server: GlanceServer, tmp_path: Path) -> None:
    """An image whose bringing broke off is there, once, when it is brought again."""
    async with _world(server, tmp_path) as (world, relay):
        image_id, path = await _announced(world, tmp_path)
        await _broken_off(world, relay, image_id, path)
        await _brought(world, image_id, path)
        await _check_whole(world, server, image_id, DISK)


async def test_registered_in_the_end(server: GlanceServer, tmp_path: Path) -> None:
    """A registration whose upload broke off is sent again, and ends well by itself."""
    async with _world(server, tmp_path) as (world, relay):
        held = relay.hold(_SOME)
        image_id = await world.images.register(JOE, NewImage(LOCATION))
        await held
        await _saving(world, image_id)
        assert (await world.images.show(JOE, image_id)).state == "uploading"
        relay.cut()
        await world.settled(image_id)
        await _check_whole(world, server, image_id, CONTENT)


async def test_brought_to_a_glance_that_ended(
    server: GlanceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that Glance lost amid its bringing is given up, and leaves nothing."""
    monkeypatch.setattr(glance_delivery, "LOST_AFTER", 2.0)
    async with _world(server, tmp_path) as (world, relay):
        image_id, path = await _announced(world, tmp_path)
        await _killed(world, relay, server, world.images.bring(JOE, image_id, path), image_id)
        with pytest.raises(ImageError, match="make the image anew"):
            await _brought(world, image_id, path)
        await world.images.abandon(JOE, image_id, "a reason")
        assert await _in_glance(world) == []
        image = await world.images.show(JOE, image_id)
        assert (image.state, image.state_reason) == ("failed", "a reason")
        await world.images.deregister(JOE, image_id)
        again, path = await _announced(world, tmp_path)
        await world.images.bring(JOE, again, path)
        assert (await world.images.show(JOE, again)).state == "available"


async def _killed(
    world: GlanceWorld, relay: Relay, server: GlanceServer, bringing: Any, image_id: str
) -> None:
    held = relay.hold(_SOME)
    broken = Deferred.fromCoroutine(bringing)
    await held
    await _saving(world, image_id)
    server.kill()
    with pytest.raises(Unavailable):
        await broken
    server.start()
    assert await _status(world, image_id) == "saving"


async def test_registered_with_a_glance_that_ended(
    server: GlanceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registration that Glance lost fails, says what to do, and leaves nothing."""
    monkeypatch.setattr(glance_delivery, "LOST_AFTER", 2.0)
    async with _world(server, tmp_path) as (world, relay):
        held = relay.hold(_SOME)
        image_id = await world.images.register(JOE, NewImage(LOCATION, "golden"))
        await held
        await _saving(world, image_id)
        server.kill()
        server.start()
        await world.settled(image_id)
        image = await world.images.show(JOE, image_id)
        assert image.state == "failed"
        assert "make the image anew" in str(image.state_reason)
        assert await _in_glance(world) == []
        assert not list((tmp_path / "images" / ".new").iterdir())
        again = await world.images.register(JOE, NewImage(LOCATION, "golden"))
        await world.settled(again)
        assert (await world.images.show(JOE, again)).state == "available"
        await world.images.deregister(JOE, image_id)
        assert await world.rows() == frozenset()


async def test_removed_there(server: GlanceServer, tmp_path: Path) -> None:
    """An image that is removed in Glance before it is whole can't be one any more."""
    async with _world(server, tmp_path) as (world, relay):
        image_id, path = await _announced(world, tmp_path)
        await _broken_off(world, relay, image_id, path)
        await world.glance.delete(OPERATOR, str(to_uuid(image_id)))
        with pytest.raises(ImageError, match="make the image anew"):
            await world.images.bring(JOE, image_id, path)


async def test_deactivated_there(server: GlanceServer, tmp_path: Path) -> None:
    """An image that is deactivated in Glance before its row is gone has all that its row says."""
    from twisted.internet import reactor

    async with _world(server, tmp_path) as (world, _):
        image_id, path = await _announced(world, tmp_path)
        delivery = GlanceDelivery(world.glance, reactor)  # type: ignore[arg-type]
        assert await delivery.deliver(await world.images.show(JOE, image_id), path)
        await world.images.change(JOE, image_id, ImageChange(description="a copy"))
        await world.set_pending(image_id)
        await world.images.bring(JOE, image_id, path)
        image = await world.images.show(JOE, image_id)
        assert (image.state_reason, image.description) == ("it is deactivated in Glance", "a copy")
        assert await world.rows() == frozenset()


async def test_abandoned(server: GlanceServer, tmp_path: Path) -> None:
    """An image that is given up after its bringing broke off leaves nothing in Glance."""
    async with _world(server, tmp_path) as (world, relay):
        image_id, path = await _announced(world, tmp_path)
        await _broken_off(world, relay, image_id, path)
        await world.images.abandon(JOE, image_id, "a reason")
        assert await _in_glance(world) == []
        assert (await world.images.show(JOE, image_id)).state == "failed"
