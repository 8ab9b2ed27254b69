"""Images in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from nova_tx.image.memory import MemoryImages
from nova_tx.testing.conformance.image import ADMIN, CONTENT, LOCATION, make_image_tests


class _World:
    def __init__(self) -> None:
        self.images = MemoryImages()
        self.images.bundles[LOCATION] = ("joe", CONTENT)
        self.images.projects = frozenset(("joe", "eve", "admin"))

    async def settled(self, image_id: str) -> None:
        pass

    async def set_public(self, image_id: str) -> None:
        self.images.add(replace(await self.images.show(ADMIN, image_id), is_public=True), CONTENT)

    async def set_pending(self, image_id: str) -> None:
        self.images.add(replace(await self.images.show(ADMIN, image_id), state="pending"))


@asynccontextmanager
async def _world() -> AsyncIterator[_World]:
    yield _World()


class TestMemoryImages(make_image_tests(_world)):  # type: ignore[misc]
    """The suite."""
