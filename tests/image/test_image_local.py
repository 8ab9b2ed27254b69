"""Images in a directory that is shared, beside a real objectstore in this process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nova_tx.db import images
from nova_tx.errors import ImageError, ImageNotFound, ImageUnavailable, Unavailable
from nova_tx.flags import ImageFlags, S3Flags
from nova_tx.image.local import LocalImages, _alone
from nova_tx.image.shelf import ImageFiles
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import InlinePool
from nova_tx.testing.conformance.image import (
    CONTENT,
    DISK,
    JOE,
    LOCATION,
    SOURCE,
    make_image_tests,
)
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import (
    RunningObjectstore,
    make_bundle,
    put,
    running_objectstore,
)
from nova_tx.testing.objectstore_server import known_users


class _World:
    def __init__(self, running: RunningObjectstore, images: LocalImages) -> None:
        self.running = running
        self.images = images
        self.settled, self.set_public = running.settled, running.set_public
        self.set_pending = running.set_pending
        self.path = Path(running.flags.section(ImageFlags).images_path)

    async def another(self, max_bytes: int = 2**30) -> LocalImages:
        """The service on another host."""
        flags = ImageFlags(images_path=str(self.path), image_max_bytes=max_bytes)
        from twisted.internet import reactor

        s3 = S3Flags(s3_host="127.0.0.1", s3_port=self.running.port)
        users = await known_users()
        return LocalImages(flags, s3, users, self.running.database, reactor)  # type: ignore[arg-type]

    def files(self) -> set[str]:
        """Every file of the directory but the registrations' own."""
        found = (each for each in self.path.rglob("*") if each.is_file())
        return {str(each.relative_to(self.path)) for each in found}


@asynccontextmanager
async def _world() -> AsyncIterator[_World]:
    from twisted.internet import reactor

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with running_objectstore(directory, memory_database(), reactor) as running:
            for path in make_bundle(directory / "bundle", CONTENT):
                put(running.store, "bucket", Path(path).name, Path(path).read_bytes())
            service = LocalImages(
                running.flags.section(ImageFlags),
                S3Flags(s3_host="127.0.0.1", s3_port=running.port),
                await known_users(),
                running.database,
                reactor,  # type: ignore[arg-type]
            )
            await service.open()
            try:
                yield _World(running, service)
            finally:
                await service.close()


class TestLocalImages(make_image_tests(_world)):  # type: ignore[misc]
    """The suite."""


async def test_permissions(tmp_path: Path) -> None:
    """A file that was brought is for the daemons' user alone, and nothing else is left."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        (tmp_path / "disk").write_bytes(DISK)
        await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        file = world.path / image_id / "image"
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert world.files() == {f"{image_id}/image"}


async def test_holes(tmp_path: Path) -> None:
    """What is not there of a disk takes no room as an image, nor on the host that fetches it."""
    async with _world() as world:
        with open(tmp_path / "disk", "wb") as file:
            file.truncate(2**28)
            os.pwrite(file.fileno(), b"something", 2**27)
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        target = tmp_path / "image"
        assert await world.images.fetch(JOE, image_id, str(target)) == 2**28
        for path in (world.path / image_id / "image", target):
            assert path.stat().st_blocks * 512 < 2**20
        assert target.read_bytes() == (tmp_path / "disk").read_bytes()


async def test_brought_before(tmp_path: Path) -> None:
    """A file that had its name when its host died is not brought again, and is the image then."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        file = world.path / image_id / "image"
        file.parent.mkdir()
        file.write_bytes(DISK)
        await world.running.objectstore.close()
        await world.running.objectstore.open()
        (tmp_path / "disk").write_bytes(b"another copy of it, for the test")
        await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        assert (await world.images.show(JOE, image_id)).size == len(DISK)
        assert file.read_bytes() == DISK


async def test_wanted_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose image was given up or removed while it was brought is not kept."""
    async with _world() as world:
        (tmp_path / "disk").write_bytes(DISK)
        told = world.images._tell
        for end, error in (
            (lambda each: world.images.abandon(JOE, each, "a reason"), ImageUnavailable),
            (lambda each: world.images.deregister(JOE, each), ImageNotFound),
        ):
            image_id = await world.images.announce(JOE, SOURCE, "golden", None)

            async def tell(*args: object, ended: object = end) -> None:
                await ended(args[1])  # type: ignore[operator]
                await told(*args)  # type: ignore[arg-type]

            monkeypatch.setattr(world.images, "_tell", tell)
            with pytest.raises(error):
                await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
            assert world.files() == set()


async def test_two_at_once(tmp_path: Path) -> None:
    """Nobody writes what another is just writing; who comes to a file that is done leaves it."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        (tmp_path / "disk").write_bytes(DISK)
        part = ImageFiles(str(world.path)).part(image_id)
        with _alone(part) as file:
            file.write(b"half of it")
            with pytest.raises(Unavailable):
                await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
            file.flush()
            assert Path(part).read_bytes() == b"half of it"
        other = await world.another()
        await other.bring(JOE, image_id, str(tmp_path / "disk"))
        await world.images.bring(JOE, image_id, str(tmp_path / "nothing, and nothing is read"))
        assert world.files() == {f"{image_id}/image"}


async def test_objectstore_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nova-objectstore, when it starts, takes nothing for left over that is being brought."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        (tmp_path / "disk").write_bytes(DISK)
        awaited = world.images._awaited

        async def swept(*args: object) -> bool:
            Shelf(str(world.path), InlinePool()).prepare()
            return await awaited(*args)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(world.images, "_awaited", swept)
            await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        assert world.files() == {f"{image_id}/image"}


async def test_too_large(tmp_path: Path) -> None:
    """A file that is larger than images may be is refused, and not kept."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        (tmp_path / "disk").write_bytes(DISK)
        with pytest.raises(ImageError):
            await (await world.another(1000)).bring(JOE, image_id, str(tmp_path / "disk"))
        assert world.files() == set()


async def test_file_of_another_size(tmp_path: Path) -> None:
    """A file that is not there, or not what the row says, is no image."""
    async with _world() as world:
        image_id = await world.images.announce(JOE, SOURCE, "golden", None)
        (tmp_path / "disk").write_bytes(DISK)
        await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
        os.truncate(world.path / image_id / "image", 10)
        with pytest.raises(ImageError, match="10 bytes"):
            await world.images.fetch(JOE, image_id, str(tmp_path / "image"))
        (world.path / image_id / "image").unlink()
        with pytest.raises(ImageNotFound, match="images_path"):
            await world.images.fetch(JOE, image_id, str(tmp_path / "image"))


async def test_of_a_bundle(tmp_path: Path) -> None:
    """A list is one read of the database, however many images there are."""
    async with _world() as world:
        for number in range(2000):
            await world.running.database.run(
                images.add,
                f"ami-{number:08}",
                location=LOCATION,
                owner="joe",
                user_id="joe",
                architecture="x86_64",
                type="machine",
                display_name="",
            )
        reads = 0
        read = world.running.database.read

        def counted(*args: object, **kwargs: object) -> object:
            nonlocal reads
            reads += 1
            return read(*args, **kwargs)  # type: ignore[arg-type]

        world.running.database.read = counted  # type: ignore[method-assign,assignment]
        assert len(await world.images.list(JOE)) == 2000
        assert reads == 1
