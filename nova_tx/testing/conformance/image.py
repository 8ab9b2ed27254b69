"""What every implementation of IImages promises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import pytest
from zope.interface.verify import verifyObject

from nova_tx.context import RequestContext
from nova_tx.errors import (
    DuplicateImageName,
    ForeignImage,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
)
from nova_tx.image.interfaces import IImages
from nova_tx.model.images import ImageChange, ImageSource, NewImage

JOE = RequestContext("joe", "joe")
EVE = RequestContext("eve", "eve")
ADMIN = RequestContext("admin", "admin", is_admin=True)
CONTENT = b"a small disk" * 1000
LOCATION = "bucket/disk.manifest.xml"
SOURCE = ImageSource(10, "aki-1", None, "i386")
#: A disk of a few pieces, zeros among them.
DISK = b"a guest wrote this" * 30_000 + bytes(2**20) + b"the end"


class ImageWorld(Protocol):
    """
    An implementation, and what a test must be able to do beside it.

    joe, eve and admin are users with a project each; joe's project has the
    bundle of L{CONTENT} at L{LOCATION}.
    """

    images: Any

    async def settled(self, image_id: str) -> None:
        """Wait until the image is available or failed."""

    async def set_public(self, image_id: str) -> None:
        """Let every project see an image."""

    async def set_pending(self, image_id: str) -> None:
        """Put an image back to its first state."""


World = Callable[[], AbstractAsyncContextManager[ImageWorld]]


def make_image_tests(factory: World) -> type:
    """
    The suite as a class to inherit from.

    @param factory: a context in which the implementation works.
    """

    class ImageTests:
        async def test_interface(self) -> None:
            """It has the methods of IImages, with their parameters."""
            async with factory() as world:
                assert verifyObject(IImages, world.images)

        async def test_register(self) -> None:
            """A registered bundle becomes an available image of the caller's project."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                image = await world.images.show(JOE, image_id)
                assert image.id == image_id
                assert image.location == LOCATION
                assert (image.owner, image.is_public) == ("joe", False)
                assert (image.state, image.state_reason) == ("available", None)
                assert (image.type, image.architecture) == ("machine", "x86_64")
                assert image.size == len(CONTENT)
                assert await world.images.list(JOE) == (image,)

        async def test_fetch(self, tmp_path: Path) -> None:
            """The file of an image is written to the path, over what was there."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                target = tmp_path / "image"
                target.write_bytes(b"x" * 100_000)
                assert await world.images.fetch(JOE, image_id, str(target)) == len(CONTENT)
                assert target.read_bytes() == CONTENT

        async def test_fetch_unfinished(self, tmp_path: Path) -> None:
            """An image that is not available has no file to fetch."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                await world.set_pending(image_id)
                with pytest.raises(ImageUnavailable):
                    await world.images.fetch(JOE, image_id, str(tmp_path / "image"))

        async def test_strangers(self, tmp_path: Path) -> None:
            """To another project a private image does not exist; an administrator sees it."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                assert await world.images.list(EVE) == ()
                assert await world.images.list(EVE, (image_id,)) == ()
                with pytest.raises(ImageNotFound):
                    await world.images.show(EVE, image_id)
                with pytest.raises(ImageNotFound):
                    await world.images.fetch(EVE, image_id, str(tmp_path / "image"))
                with pytest.raises(ImageNotFound):
                    await world.images.deregister(EVE, image_id)
                assert (await world.images.show(ADMIN, image_id)).id == image_id

        async def test_public(self, tmp_path: Path) -> None:
            """A public image is everybody's to see and to fetch, and its owner's to remove."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                await world.set_public(image_id)
                assert [each.id for each in await world.images.list(EVE)] == [image_id]
                target = str(tmp_path / "image")
                assert await world.images.fetch(EVE, image_id, target) == len(CONTENT)
                with pytest.raises(ForeignImage):
                    await world.images.deregister(EVE, image_id)

        async def test_some(self) -> None:
            """A list of some ids has these only, in order of their ids, without the unknown."""
            async with factory() as world:
                ids = sorted(
                    [await world.images.register(JOE, NewImage(LOCATION)) for _ in range(3)]
                )
                for image_id in ids:
                    await world.settled(image_id)
                wanted = (ids[2], "ami-unknown", ids[0])
                found = await world.images.list(JOE, wanted)
                assert [each.id for each in found] == [ids[0], ids[2]]

        async def test_many(self) -> None:
            """A list may be of hundreds of ids."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                wanted = (*(f"ami-{number:064}" for number in range(300)), image_id)
                assert [each.id for each in await world.images.list(JOE, wanted)] == [image_id]

        async def test_deregister(self, tmp_path: Path) -> None:
            """An image that was deregistered is gone."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                await world.images.deregister(JOE, image_id)
                assert await world.images.list(JOE) == ()
                with pytest.raises(ImageNotFound):
                    await world.images.fetch(JOE, image_id, str(tmp_path / "image"))
                with pytest.raises(ImageNotFound):
                    await world.images.deregister(JOE, image_id)

        async def test_announce(self, tmp_path: Path) -> None:
            """An announced image is the caller's, private and pending, and has no file yet."""
            async with factory() as world:
                image_id = await world.images.announce(JOE, SOURCE, "golden", "all is set up")
                image = await world.images.show(JOE, image_id)
                assert (image.owner, image.is_public, image.state) == ("joe", False, "pending")
                assert (image.display_name, image.description) == ("golden", "all is set up")
                assert (image.type, image.architecture, image.size) == ("machine", "i386", None)
                assert (image.kernel_id, image.ramdisk_id) == ("aki-1", None)
                assert (image.instance_id, image.location) == (10, "joe/golden")
                assert await world.images.list(EVE) == ()
                with pytest.raises(ImageUnavailable):
                    await world.images.fetch(JOE, image_id, str(tmp_path / "image"))

        async def test_announce_a_name_twice(self) -> None:
            """A project has one image of a name; one that failed gives its name free."""
            async with factory() as world:
                image_id = await world.images.announce(JOE, SOURCE, "golden", None)
                with pytest.raises(DuplicateImageName, match=image_id):
                    await world.images.announce(JOE, SOURCE, "golden", None)
                await world.images.announce(EVE, SOURCE, "golden", None)
                await world.images.abandon(JOE, image_id, "a reason")
                again = await world.images.announce(JOE, SOURCE, "golden", None)
                await world.images.deregister(JOE, again)
                await world.images.announce(JOE, SOURCE, "golden", None)

        async def test_bring(self, tmp_path: Path) -> None:
            """An image is available with the file that is brought, as it is; once."""
            async with factory() as world:
                image_id = await world.images.announce(JOE, SOURCE, "golden", None)
                (tmp_path / "disk").write_bytes(DISK)
                await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
                image = await world.images.show(JOE, image_id)
                assert (image.state, image.size) == ("available", len(DISK))
                (tmp_path / "disk").write_bytes(b"another")
                await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
                await world.images.abandon(JOE, image_id, "too late")
                assert await world.images.show(JOE, image_id) == image
                assert await world.images.fetch(JOE, image_id, str(tmp_path / "image")) == len(DISK)
                assert (tmp_path / "image").read_bytes() == DISK

        @pytest.mark.parametrize("content", [b"", b"QFI\xfb" + bytes(600)])
        async def test_bring_no_disk(self, tmp_path: Path, content: bytes) -> None:
            """A file that is no raw disk is refused; another may be brought instead."""
            async with factory() as world:
                image_id = await world.images.announce(JOE, SOURCE, "golden", None)
                (tmp_path / "disk").write_bytes(content)
                with pytest.raises(ImageError):
                    await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
                assert (await world.images.show(JOE, image_id)).state == "pending"
                (tmp_path / "disk").write_bytes(CONTENT)
                await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
                assert (await world.images.show(JOE, image_id)).size == len(CONTENT)

        async def test_abandon(self, tmp_path: Path) -> None:
            """An image that will not come has failed, for a reason, and can't be brought then."""
            async with factory() as world:
                image_id = await world.images.announce(JOE, SOURCE, "golden", None)
                await world.images.abandon(JOE, image_id, "the disk & all <is> lost")
                await world.images.abandon(JOE, image_id, "another reason")
                image = await world.images.show(JOE, image_id)
                assert (image.state, image.state_reason) == ("failed", "the disk & all <is> lost")
                (tmp_path / "disk").write_bytes(DISK)
                with pytest.raises(ImageUnavailable):
                    await world.images.bring(JOE, image_id, str(tmp_path / "disk"))

        async def test_bring_what_was_not_announced(self, tmp_path: Path) -> None:
            """No file is brought for an image that was made of a bundle, or is not there."""
            async with factory() as world:
                (tmp_path / "disk").write_bytes(DISK)
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                await world.images.abandon(JOE, image_id, "a reason")
                assert (await world.images.show(JOE, image_id)).state == "available"
                with pytest.raises(ImageUnavailable):
                    await world.images.bring(JOE, image_id, str(tmp_path / "disk"))
                await world.images.deregister(JOE, image_id)
                with pytest.raises(ImageNotFound):
                    await world.images.bring(JOE, image_id, str(tmp_path / "disk"))

        async def test_bring_for_others(self, tmp_path: Path) -> None:
            """Nobody brings or abandons an image of another project."""
            async with factory() as world:
                (tmp_path / "disk").write_bytes(DISK)
                image_id = await world.images.announce(JOE, SOURCE, "golden", None)
                with pytest.raises(ImageNotFound):
                    await world.images.bring(EVE, image_id, str(tmp_path / "disk"))
                with pytest.raises(ImageNotFound):
                    await world.images.abandon(EVE, image_id, "a reason")
                await world.set_public(image_id)
                with pytest.raises(ForeignImage):
                    await world.images.bring(EVE, image_id, str(tmp_path / "disk"))
                with pytest.raises(ForeignImage):
                    await world.images.abandon(EVE, image_id, "a reason")
                await world.images.bring(ADMIN, image_id, str(tmp_path / "disk"))
                assert (await world.images.show(JOE, image_id)).state == "available"

        async def test_register_with_a_name(self) -> None:
            """A registered image may have a name, which it has alone among its project's."""
            async with factory() as world:
                image_id = await world.images.register(
                    JOE, NewImage(LOCATION, "golden", "<all> & more")
                )
                await world.settled(image_id)
                image = await world.images.show(JOE, image_id)
                assert (image.display_name, image.description) == ("golden", "<all> & more")
                with pytest.raises(DuplicateImageName):
                    await world.images.register(JOE, NewImage(LOCATION, "golden"))
                with pytest.raises(DuplicateImageName):
                    await world.images.announce(JOE, SOURCE, "golden", None)

        async def test_register_said(self) -> None:
            """What is said at registration counts more than what a bundle says of itself."""
            async with factory() as world:
                new = NewImage(LOCATION, architecture="i386", kernel_id="aki-1", ramdisk_id="ari-1")
                image = await world.images.show(JOE, await world.images.register(JOE, new))
                assert (image.architecture, image.type) == ("i386", "machine")
                assert (image.kernel_id, image.ramdisk_id) == ("aki-1", "ari-1")
                for new, kind in (
                    (NewImage(LOCATION, kernel_id="true"), "kernel"),
                    (NewImage(LOCATION, ramdisk_id="true"), "ramdisk"),
                ):
                    image = await world.images.show(JOE, await world.images.register(JOE, new))
                    assert (image.type, image.kernel_id, image.ramdisk_id) == (kind, None, None)

        async def test_launchers(self, tmp_path: Path) -> None:
            """An image that is opened to a project is that project's to see and to fetch."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION))
                await world.settled(image_id)
                await world.images.change(JOE, image_id, ImageChange(add=("eve", "admin")))
                assert (await world.images.show(JOE, image_id)).launch_projects == ("admin", "eve")
                assert (await world.images.show(EVE, image_id)).launch_projects == ("eve",)
                assert [each.id for each in await world.images.list(EVE)] == [image_id]
                target = str(tmp_path / "image")
                assert await world.images.fetch(EVE, image_id, target) == len(CONTENT)
                with pytest.raises(ForeignImage):
                    await world.images.change(EVE, image_id, ImageChange(remove=("admin",)))
                await world.images.change(JOE, image_id, ImageChange(remove=("eve", "nobody")))
                with pytest.raises(ImageNotFound):
                    await world.images.fetch(EVE, image_id, target)
                assert (await world.images.show(JOE, image_id)).launch_projects == ("admin",)

        async def test_change(self) -> None:
            """Texts and permissions change together, or not at all; what isn't named is left."""
            async with factory() as world:
                image_id = await world.images.register(JOE, NewImage(LOCATION, "golden"))
                await world.settled(image_id)
                before = await world.images.show(JOE, image_id)
                wrong = ImageChange(description="x", is_public=True, add=("eve", "nobody"))
                with pytest.raises(InvalidLaunchPermission):
                    await world.images.change(JOE, image_id, wrong)
                with pytest.raises(ImageNotFound):
                    await world.images.change(EVE, image_id, ImageChange(description="x"))
                assert await world.images.show(JOE, image_id) == before
                right = ImageChange(description="x", is_public=True, add=("eve",))
                await world.images.change(JOE, image_id, right)
                image = await world.images.show(JOE, image_id)
                assert (image.display_name, image.description) == ("golden", "x")
                assert (image.is_public, image.launch_projects) == (True, ("eve",))
                await world.images.change(JOE, image_id, ImageChange(reset=True))
                image = await world.images.show(JOE, image_id)
                assert (image.is_public, image.launch_projects) == (False, ())
                assert image.description == "x"

        async def test_unknown(self, tmp_path: Path) -> None:
            """An id that nothing has is not found, even one that looks like a path."""
            async with factory() as world:
                for image_id in ("ami-unknown", "../../etc/passwd", "ami-ü?a=b&c"):
                    with pytest.raises(ImageNotFound):
                        await world.images.show(JOE, image_id)
                    with pytest.raises(ImageNotFound):
                        await world.images.fetch(JOE, image_id, str(tmp_path / "image"))

        @pytest.mark.parametrize("location", ["", "bucket", "bucket/", "/key"])
        async def test_malformed_location(self, location: str) -> None:
            """A location is a bucket and a key."""
            async with factory() as world:
                with pytest.raises(InvalidInput):
                    await world.images.register(JOE, NewImage(location))

        @pytest.mark.parametrize("location", ["bucket/other", "other/disk.manifest.xml"])
        async def test_no_manifest(self, location: str) -> None:
            """A manifest that is not there can't be registered."""
            async with factory() as world:
                with pytest.raises(ImageNotFound):
                    await world.images.register(JOE, NewImage(location))
                assert await world.images.list(JOE) == ()

        async def test_foreign_manifest(self) -> None:
            """To another project, a manifest that it may not read is not there."""
            async with factory() as world:
                with pytest.raises(ImageNotFound):
                    await world.images.register(EVE, NewImage(LOCATION))

    return ImageTests
