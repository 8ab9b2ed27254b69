"""Images in a real objectstore, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nova_tx.testing.conformance.image import CONTENT, make_image_tests
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import (
    RunningObjectstore,
    make_bundle,
    put,
    running_objectstore,
)


@asynccontextmanager
async def _world() -> AsyncIterator[RunningObjectstore]:
    from twisted.internet import reactor

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with running_objectstore(directory, memory_database(), reactor) as running:
            for path in make_bundle(directory / "bundle", CONTENT):
                put(running.store, "bucket", Path(path).name, Path(path).read_bytes())
            yield running


class TestObjectstoreImages(make_image_tests(_world)):  # type: ignore[misc]
    """The suite."""
