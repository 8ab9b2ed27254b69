"""Images in Debian's Glance, which is started here with files and SQLite of its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from nova_tx.testing.conformance.image import make_image_tests
from nova_tx.testing.database import memory_database
from nova_tx.testing.glance_server import TOKEN, GlanceServer
from nova_tx.testing.glance_world import GlanceWorld, glance_world
from nova_tx.testing.ports import free_port


class _Servers:
    """Each kind of Glance is started once."""

    def __init__(self) -> None:
        self.running: dict[bool, GlanceServer] = {}

    def get(self, believes: bool) -> GlanceServer:
        if believes not in self.running:
            directory = Path(tempfile.mkdtemp(prefix="nova-glance-"))
            self.running[believes] = server = GlanceServer(directory, free_port(), believes)
            server.start()
        return self.running[believes]


_servers = _Servers()


@pytest.fixture(scope="module", autouse=True)
def ended() -> Iterator[None]:
    """No Glance is left."""
    yield
    for server in _servers.running.values():
        server.stop()


@asynccontextmanager
async def _world(believes: bool = True) -> AsyncIterator[GlanceWorld]:
    from twisted.internet import reactor

    server = _servers.get(believes)
    with tempfile.TemporaryDirectory() as name:
        flags = {} if believes else {"glance_auth_token": TOKEN}
        async with glance_world(
            Path(name), memory_database(), reactor, server.port, **flags
        ) as world:
            yield world


class TestGlanceImages(make_image_tests(_world)):  # type: ignore[misc]
    """The suite, of a Glance that believes who asks."""


class TestGlanceImagesByToken(make_image_tests(lambda: _world(False))):  # type: ignore[misc]
    """The suite, of a Glance to which all are one, who has a token."""
