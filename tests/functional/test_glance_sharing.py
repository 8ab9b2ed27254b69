"""Who sees and boots images in Debian's Glance, whoever opened them: EC2 or Glance's own API."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from nova_tx.context import RequestContext
from nova_tx.errors import ForeignImage, ImageNotFound
from nova_tx.image.glance_client import Asker
from nova_tx.image.glance_ids import from_uuid, to_uuid
from nova_tx.model.images import ImageChange, NewImage
from nova_tx.testing.conformance.image import ADMIN, DISK, EVE, JOE, LOCATION, SOURCE
from nova_tx.testing.database import memory_database
from nova_tx.testing.glance_server import TOKEN, GlanceServer
from nova_tx.testing.glance_world import OPERATOR, GlanceWorld, glance_world
from nova_tx.testing.ports import free_port

BOB = RequestContext("bob", "bob")
EVERYBODY = (JOE, EVE, ADMIN, BOB)


@pytest.fixture(scope="module", params=[True, False], ids=["trusted", "token"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GlanceServer]:
    """A Glance that believes who asks, and one to which all are one, who has a token."""
    directory = tmp_path_factory.mktemp("sharing") / "glance"
    server = GlanceServer(directory, free_port(), request.param)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def _world(server: GlanceServer) -> AsyncIterator[GlanceWorld]:
    from twisted.internet import reactor

    flags = {} if server.believes else {"glance_auth_token": TOKEN}
    with tempfile.TemporaryDirectory() as name:
        async with glance_world(
            Path(name), memory_database(), reactor, server.port, **flags
        ) as world:
            yield world


async def _of_glance(world: GlanceWorld, directory: Path, visibility: str, *members: str) -> str:
    """An image that joe made in Glance; its id."""
    formats = {"disk_format": "raw", "container_format": "bare"}
    said = {**formats, "name": "golden", "owner": "joe", "visibility": visibility}
    uuid = (await world.glance.create(OPERATOR, said))["id"]
    (directory / "disk").write_bytes(DISK)
    await world.glance.upload(OPERATOR, uuid, str(directory / "disk"))
    for each in members:
        await world.glance.share(OPERATOR, uuid, each)
    return from_uuid(uuid)


async def _of_ec2(world: GlanceWorld) -> str:
    """An image that joe registered; its id."""
    image_id = await world.images.register(JOE, NewImage(LOCATION))
    await world.settled(image_id)
    return str(image_id)


async def _sets(world: GlanceWorld, image_id: str, **values: object) -> None:
    """Change an image by Glance's own API."""
    changes: list[Mapping[str, Any]] = [
        {"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()
    ]
    await world.glance.patch(OPERATOR, str(to_uuid(image_id)), changes)


async def _members(world: GlanceWorld, image_id: str) -> set[str]:
    return set(await world.glance.members(OPERATOR, str(to_uuid(image_id))))


async def _check(world: GlanceWorld, image_id: str, *permitted: RequestContext) -> None:
    """These and nobody else see the image, in each list and alone, and get its file."""
    with tempfile.TemporaryDirectory() as name:
        target = Path(name) / "image"
        for who in EVERYBODY:
            is_there = who in permitted
            for ids in ((), (image_id,)):
                listed = [each.id for each in await world.images.list(who, ids)]
                assert listed == [image_id] * is_there, (who.project, ids)
            if is_there:
                assert (await world.images.show(who, image_id)).state == "available"
                assert await world.images.fetch(who, image_id, str(target))
                continue
            with pytest.raises(ImageNotFound):
                await world.images.show(who, image_id)
            with pytest.raises(ImageNotFound):
                await world.images.fetch(who, image_id, str(target))


async def _launchers(world: GlanceWorld, image_id: str, who: RequestContext) -> tuple[str, ...]:
    found = await world.images.show(who, image_id)
    return tuple(found.launch_projects)


async def test_shared_in_glance(server: GlanceServer, tmp_path: Path) -> None:
    """Who is made a member in Glance may launch the image; only its owner changes it."""
    async with _world(server) as world:
        image_id = await _of_glance(world, tmp_path, "shared", "eve", "zoe")
        await _check(world, image_id, JOE, EVE, ADMIN)
        assert await _launchers(world, image_id, JOE) == ("eve", "zoe")
        assert await _launchers(world, image_id, ADMIN) == ("eve", "zoe")
        assert await _launchers(world, image_id, EVE) == ("eve",)
        with pytest.raises(ForeignImage):
            await world.images.change(EVE, image_id, ImageChange(add=("admin",)))
        with pytest.raises(ImageNotFound):
            await world.images.change(BOB, image_id, ImageChange(description="x"))


async def test_not_shared(server: GlanceServer, tmp_path: Path) -> None:
    """What is shared with nobody in Glance, or private there, is its owner's alone."""
    async with _world(server) as world:
        await _check(world, await _of_glance(world, tmp_path, "shared"), JOE, ADMIN)
    async with _world(server) as world:
        await _check(world, await _of_glance(world, tmp_path, "private"), JOE, ADMIN)


async def test_public_in_glance(server: GlanceServer, tmp_path: Path) -> None:
    """What is public in Glance is everybody's to launch, until its owner resets that by EC2."""
    async with _world(server) as world:
        image_id = await _of_glance(world, tmp_path, "public")
        await _check(world, image_id, *EVERYBODY)
        await world.images.change(JOE, image_id, ImageChange(reset=True))
        await _check(world, image_id, JOE, ADMIN)


async def test_community(server: GlanceServer, tmp_path: Path) -> None:
    """An image of the community is there for whoever names it, and in its owner's list alone."""
    async with _world(server) as world:
        image_id = await _of_glance(world, tmp_path, "community")
        for who in EVERYBODY:
            [found] = await world.images.list(who, (image_id,))
            assert found == await world.images.show(who, image_id) and found.is_public
            assert await world.images.fetch(who, image_id, str(tmp_path / "image")) == len(DISK)
        assert [each.id for each in await world.images.list(JOE)] == [image_id]
        assert await world.images.list(BOB) == ()


async def test_changed_by_ec2(server: GlanceServer, tmp_path: Path) -> None:
    """Members that Glance's API made stay when EC2 changes something else, and go when it says."""
    async with _world(server) as world:
        image_id = await _of_glance(world, tmp_path, "shared", "eve", "zoe")
        await world.images.change(JOE, image_id, ImageChange(description="x"))
        await _check(world, image_id, JOE, EVE, ADMIN)
        await world.images.change(ADMIN, image_id, ImageChange(add=("admin",)))
        assert await _members(world, image_id) == {"admin", "eve", "zoe"}
        await world.images.change(JOE, image_id, ImageChange(remove=("zoe", "admin")))
        assert await _members(world, image_id) == {"eve"}
        await world.images.change(JOE, image_id, ImageChange(reset=True))
        await _check(world, image_id, JOE, ADMIN)
        await _sets(world, image_id, visibility="shared")
        assert await _members(world, image_id) == set()


async def test_public_and_projects(server: GlanceServer, tmp_path: Path) -> None:
    """Who may launch an image keeps that while it is public, and when it is not any more."""
    async with _world(server) as world:
        image_id = await _of_glance(world, tmp_path, "shared", "eve", "zoe")
        await world.images.change(JOE, image_id, ImageChange(is_public=True))
        assert await _launchers(world, image_id, JOE) == ("eve", "zoe")
        await _check(world, image_id, *EVERYBODY)
        await world.images.change(JOE, image_id, ImageChange(remove=("zoe",), add=("admin",)))
        assert await _launchers(world, image_id, JOE) == ("admin", "eve")
        await world.images.change(JOE, image_id, ImageChange(is_public=False))
        await _check(world, image_id, JOE, EVE, ADMIN)
        assert await _launchers(world, image_id, JOE) == ("admin", "eve")
        assert await _members(world, image_id) == {"admin", "eve"}


async def test_ours_shared_in_glance(server: GlanceServer) -> None:
    """Glance's own API opens and closes an image that EC2 made, to all or to a project."""
    async with _world(server) as world:
        image_id = await _of_ec2(world)
        uuid = str(to_uuid(image_id))
        await world.images.change(JOE, image_id, ImageChange(add=("admin",)))
        await world.glance.share(OPERATOR, uuid, "eve")
        await _check(world, image_id, JOE, EVE, ADMIN)
        assert await _launchers(world, image_id, JOE) == ("admin", "eve")
        await world.glance.unshare(OPERATOR, uuid, "eve")
        await _check(world, image_id, JOE, ADMIN)
        assert await _launchers(world, image_id, JOE) == ("admin",)
        await _sets(world, image_id, visibility="public")
        await _check(world, image_id, *EVERYBODY)
        await world.images.change(JOE, image_id, ImageChange(add=("eve",)))
        await _sets(world, image_id, visibility="private")
        await _check(world, image_id, JOE, ADMIN)


async def test_shared_by_ec2(server: GlanceServer) -> None:
    """Who may launch an image by EC2 sees and gets it by Glance's own API; a stranger does not."""
    async with _world(server) as world:
        image_id = await _of_ec2(world)
        await world.images.change(JOE, image_id, ImageChange(add=("eve",)))
        uuid = str(to_uuid(image_id))
        assert await _members(world, image_id) == {"eve"}
        if server.believes:
            assert await world.glance.get(Asker("eve", "eve"), uuid) is not None
            assert await world.glance.get(Asker("bob", "bob"), uuid) is None
        await world.images.change(JOE, image_id, ImageChange(remove=("eve",)))
        if server.believes:
            assert await world.glance.get(Asker("eve", "eve"), uuid) is None
        said = await world.glance.get(OPERATOR, uuid)
        assert said is not None and said["visibility"] == "private"


async def test_opened_on_its_way(server: GlanceServer, tmp_path: Path) -> None:
    """Who an image is opened to before it is in Glance may launch it there."""
    async with _world(server) as world:
        (tmp_path / "disk").write_bytes(DISK)
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        await world.images.change(JOE, image_id, ImageChange(add=("eve",)))
        await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        assert await world.rows() == frozenset()
        await _check(world, image_id, JOE, EVE, ADMIN)
        assert await _members(world, image_id) == {"eve"}
