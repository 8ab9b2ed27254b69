"""The image service on Glance beside an objectstore in this process: for its conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import treq
from twisted.internet.task import deferLater
from twisted.web.http_headers import Headers

from nova_tx.db import settled_images
from nova_tx.db.engine import Database
from nova_tx.flags import GlanceFlags, ImageFlags, S3Flags
from nova_tx.image.glance import GlanceImages
from nova_tx.image.glance_client import Asker, Glance
from nova_tx.image.glance_ids import to_uuid
from nova_tx.model.images import ImageChange
from nova_tx.testing.conformance.image import ADMIN, CONTENT
from nova_tx.testing.glance_server import TOKEN
from nova_tx.testing.objectstore import (
    RunningObjectstore,
    make_bundle,
    put,
    running_objectstore,
)
from nova_tx.testing.objectstore_server import flags_for, known_users
from nova_tx.testing.ports import free_port

#: Who may do everything in Glance.
OPERATOR = Asker("operator", "operator", True)


class GlanceWorld:
    """
    All of it.

    @ivar glance: Glance itself.
    """

    def __init__(
        self, images: GlanceImages, objectstore: RunningObjectstore, glance: Glance, port: int
    ) -> None:
        self.images = images
        self.objectstore = objectstore
        self.database = objectstore.database
        self.glance = glance
        self.port = port

    async def settled(self, image_id: str) -> None:
        """Wait until an image is available or failed."""
        while (await self.images.show(ADMIN, image_id)).state not in ("available", "failed"):
            await deferLater(self.objectstore.reactor, 0.01)

    async def set_public(self, image_id: str) -> None:
        """Let every project see an image."""
        await self.images.change(ADMIN, image_id, ImageChange(is_public=True))

    async def set_pending(self, image_id: str) -> None:
        """Have an image not available."""
        url = f"http://127.0.0.1:{self.port}/v2/images/{to_uuid(image_id)}/actions/deactivate"
        said = {
            **{"x-identity-status": "Confirmed", "x-project-id": "operator", "x-roles": "admin"},
            **{"x-user-id": "operator", "x-auth-token": TOKEN},
        }
        headers = Headers({name: [value] for name, value in said.items()})
        response = await treq.post(url, headers=headers, persistent=False)
        await response.content()
        assert response.code == 204

    async def rows(self) -> frozenset[str]:
        """The images that have rows."""
        _, known = await self.database.read(settled_images.known, None, True)
        return known


@asynccontextmanager
async def glance_world(
    directory: Path, database: Database, reactor: Any, glance_port: int, **flags: Any
) -> AsyncIterator[GlanceWorld]:
    """
    An image service on a Glance at a port of loopback, which is emptied in the end; joe has the
    bundle of the suite.

    @param flags: of Glance.
    """
    glance = GlanceFlags(glance_host="127.0.0.1", glance_port=glance_port, **flags)
    users = await known_users()
    image = flags_for(str(directory)).section(ImageFlags)
    s3 = S3Flags(s3_host="127.0.0.1", s3_port=free_port())
    images = GlanceImages(glance, s3, image, users, database, reactor)
    client = Glance(glance, reactor)
    try:
        async with running_objectstore(
            directory, database, reactor, depot=images, port=s3.s3_port
        ) as objectstore:
            for path in make_bundle(directory / "bundle", CONTENT):
                put(objectstore.store, "bucket", Path(path).name, Path(path).read_bytes())
            yield GlanceWorld(images, objectstore, client, glance_port)
    finally:
        for said in await client.list(OPERATOR, visibility="all"):
            await client.delete(OPERATOR, said["id"])
        await client.close()
        await images.close()
