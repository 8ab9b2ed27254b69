"""Images on a compute host."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from nova_tx.compute.image_cache import ImageCache
from nova_tx.context import RequestContext, admin_context
from nova_tx.errors import ImageError, ImageNotFound, MalformedImageId, Unavailable


class Transfers:
    """Image files that arrive when the test lets them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate: Deferred[None] | None = None
        self.errors: list[Exception] = []
        self.content = b"image"
        self.size = 5

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        self.asked.append(image_id)
        Path(path).write_bytes(self.content)
        if self.gate is not None:
            await self.gate
        if self.errors:
            raise self.errors.pop(0)
        return self.size


async def _cache(images: Transfers, path: Path) -> ImageCache:
    cache = ImageCache(images, str(path))  # type: ignore[arg-type]
    await cache.open()
    return cache


async def test_fetched_once(tmp_path: Path) -> None:
    """The second guest of an image finds its file here."""
    images = Transfers()
    cache = await _cache(images, tmp_path)
    path = await cache.file(admin_context(), "ami-1")
    assert path == str(tmp_path / "_base" / "ami-1")
    assert Path(path).read_bytes() == b"image"
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert await cache.file(admin_context(), "ami-1") == path
    assert images.asked == ["ami-1"]


async def test_two_first_boots(tmp_path: Path) -> None:
    """Two first boots of an image share one transfer, and see no file before it is whole."""
    images = Transfers()
    images.gate = Deferred()
    cache = await _cache(images, tmp_path)
    boots = [
        Deferred.fromCoroutine(cache.file(admin_context(), "ami-1")),
        Deferred.fromCoroutine(cache.file(admin_context(), "ami-1")),
    ]
    assert not (tmp_path / "_base" / "ami-1").exists()
    images.gate.callback(None)
    assert [await each for each in boots] == [str(tmp_path / "_base" / "ami-1")] * 2
    assert images.asked == ["ami-1"]


async def test_broken_transfer(tmp_path: Path) -> None:
    """A transfer that broke off twice is an error, is not used, and is done again."""
    images = Transfers()
    images.errors = [ImageError("broke off")] * 2
    cache = await _cache(images, tmp_path)
    with pytest.raises(ImageError, match="broke off"):
        await cache.file(admin_context(), "ami-1")
    assert not (tmp_path / "_base" / "ami-1").exists()
    await cache.file(admin_context(), "ami-1")
    assert images.asked == ["ami-1"] * 3


async def test_ended_in_a_transfer(tmp_path: Path) -> None:
    """A service that ends in the middle of a transfer is away: that is not the image's fault."""
    images = Transfers()
    images.errors = [ImageError("broke off"), Unavailable("it does not answer")]
    cache = await _cache(images, tmp_path)
    with pytest.raises(Unavailable):
        await cache.file(admin_context(), "ami-1")
    images.errors = [ImageError("broke off")]
    path = await cache.file(admin_context(), "ami-1")
    assert Path(path).read_bytes() == b"image"


async def test_short_file(tmp_path: Path) -> None:
    """A file of another size than the transfer said is not used."""
    images = Transfers()
    images.size = 6
    cache = await _cache(images, tmp_path)
    with pytest.raises(ImageError, match="6 bytes arrived as 5"):
        await cache.file(admin_context(), "ami-1")
    assert not (tmp_path / "_base" / "ami-1").exists()


async def test_unknown_image(tmp_path: Path) -> None:
    """That an image is not there is said as such."""
    images = Transfers()
    images.errors = [ImageNotFound("no such image")]
    with pytest.raises(ImageNotFound):
        await (await _cache(images, tmp_path)).file(admin_context(), "ami-1")


@pytest.mark.parametrize("image_id", ["../../etc/passwd", "ami-1+part", "ami-/x", ""])
async def test_no_path_tricks(tmp_path: Path, image_id: str) -> None:
    """Only an image id is ever a file name."""
    with pytest.raises(MalformedImageId):
        await (await _cache(Transfers(), tmp_path)).file(admin_context(), image_id)


async def test_leftovers_removed(tmp_path: Path) -> None:
    """What an earlier run left half made is removed at start; whole files stay."""
    (tmp_path / "_base").mkdir()
    for name in ("ami-1+part", "ami-2+100+part", "ami-3", "ami-3+100"):
        (tmp_path / "_base" / name).write_bytes(b"x")
    await _cache(Transfers(), tmp_path)
    assert sorted(os.listdir(tmp_path / "_base")) == ["ami-3", "ami-3+100"]


async def test_others_may_pass(tmp_path: Path) -> None:
    """QEMU's user can reach the files by name, and can't list them."""
    previous = os.umask(0o077)
    try:
        await _cache(Transfers(), tmp_path / "instances")
    finally:
        os.umask(previous)
    for each in (tmp_path / "instances", tmp_path / "instances" / "_base"):
        assert os.stat(each).st_mode & 0o777 == 0o711


class Times:
    """A clock that stands still, and files as old as it says."""

    def __init__(self, path: Path) -> None:
        self.now = 1_000_000.0
        self._path = path

    def put(self, *names: str, age: float = 0.0) -> None:
        """Files of the cache."""
        for name in names:
            file = self._path / "_base" / name
            file.write_bytes(b"image")
            os.utime(file, (self.now - age, self.now - age))

    def left(self) -> list[str]:
        """What is there."""
        return sorted(os.listdir(self._path / "_base"))


async def _timed(images: Transfers, path: Path) -> tuple[ImageCache, Times]:
    times = Times(path)
    cache = ImageCache(images, str(path), lambda: times.now)  # type: ignore[arg-type]
    await cache.open()
    return cache, times


async def _all(ids: Collection[str]) -> Collection[str]:
    return ids


async def test_trim(tmp_path: Path) -> None:
    """What nobody needs goes when it is old, grown copies too; what is needed or new stays."""
    cache, times = await _timed(Transfers(), tmp_path)
    times.put("ami-old", "ami-needed", "ami-needed+1000", age=100)
    times.put("ami-new", "ami-grown+1000", age=99)
    times.put("ami-grown", "ami-part", "ami-part+part", age=500)
    asked: list[set[str]] = []

    async def unneeded(ids: Collection[str]) -> Collection[str]:
        asked.append(set(ids))
        return set(ids) - {"ami-needed"}

    await cache.trim(unneeded, 100)
    assert asked == [{"ami-old", "ami-needed"}]
    assert "ami-old" not in times.left()
    assert len(times.left()) == 7
    times.now += 100
    await cache.trim(unneeded, 100)
    assert times.left() == ["ami-needed", "ami-needed+1000", "ami-part", "ami-part+part"]


async def test_trim_of_what_is_used(tmp_path: Path) -> None:
    """A file that is asked for while its fate is decided stays, and one that went is fetched."""
    images = Transfers()
    cache, times = await _timed(images, tmp_path)
    times.put("ami-1", "ami-2", age=100)

    async def unneeded(ids: Collection[str]) -> Collection[str]:
        await cache.file(admin_context(), "ami-1")
        return ids

    await cache.trim(unneeded, 100)
    assert times.left() == ["ami-1"]
    assert images.asked == []
    await cache.file(admin_context(), "ami-2")
    assert images.asked == ["ami-2"]
    times.now += 99
    await cache.trim(_all, 100)
    assert times.left() == ["ami-1", "ami-2"]


async def test_trim_left_over(tmp_path: Path) -> None:
    """What was to be removed when the daemon ended is removed at its next start."""
    cache, times = await _timed(Transfers(), tmp_path)
    times.put("ami-1+gone+part")
    await cache.open()
    assert times.left() == []
