"""What becomes of an image's tags when it is to be removed from Glance."""

from __future__ import annotations

from datetime import timedelta

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from nova_tx.auth.memory import MemoryUsers
from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import Database, now
from nova_tx.errors import Unauthorized, Unavailable, WrongState
from nova_tx.flags import GlanceFlags, ImageFlags, S3Flags
from nova_tx.image import glance_wire
from nova_tx.image.glance import GlanceImages
from nova_tx.image.glance_client import Glance
from nova_tx.image.memory import machine_image

JOE = RequestContext("joe", "joe")
IMAGE = "ami-12345678"
HOUR = timedelta(hours=1)


async def removed(
    database: Database, monkeypatch: pytest.MonkeyPatch, outcome: Exception | None
) -> tuple[set[str], set[str]]:
    """Whose tags an image has when its removal came out so, and whose it has an hour later."""
    image = machine_image(IMAGE, "joe", state="available")
    said = {**glance_wire.new(image), "status": "active", "created_at": "2026-01-01", "size": 1}

    async def get(*_: object) -> object:
        return said

    async def delete(*_: object) -> None:
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(Glance, "get", get)
    monkeypatch.setattr(Glance, "delete", delete)
    for project in ("joe", "eve"):
        await database.run(tags.attach, project, {IMAGE: None}, {"key": project}, now())
    flags = GlanceFlags(), S3Flags(), ImageFlags()
    images = GlanceImages(*flags, MemoryUsers(), database, Clock())
    try:
        await images.deregister(JOE, IMAGE)
    except Exception as error:
        assert error is outcome
    found = []
    for listed_after in (now() - HOUR, now() + HOUR):
        some = [await database.read(tags.listed, each, listed_after) for each in ("joe", "eve")]
        found.append({tag.value for each in some for tag in each})
    return found[0], found[1]


async def test_gone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tags of an image that is gone are gone, every project's."""
    assert await removed(database, monkeypatch, None) == (set(), set())


async def test_not_seen(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an image whose end nobody was there to see no tags stay for ever."""
    whose = await removed(database, monkeypatch, CancelledError())
    assert whose == ({"joe", "eve"}, set())


@pytest.mark.parametrize("error", [Unauthorized("protected"), WrongState("in use"), Unavailable()])
async def test_stays(database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """An image that could not be removed keeps its tags."""
    whose = await removed(database, monkeypatch, error)
    assert whose == ({"joe", "eve"}, {"joe", "eve"})
