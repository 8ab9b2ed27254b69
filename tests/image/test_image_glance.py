"""What is asked of Glance for a list, and what becomes of tags when an image goes from there."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

import pytest
from twisted.internet.defer import CancelledError, Deferred
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


def service(database: Database, **flags: str) -> GlanceImages:
    """The service, which has not spoken with Glance yet."""
    glance = GlanceFlags(**flags)  # type: ignore[arg-type]
    return GlanceImages(glance, S3Flags(), ImageFlags(), MemoryUsers(), database, Clock())


def shown(image_id: str, **more: object) -> dict[str, object]:
    """An image of joe's as Glance shows it."""
    image = machine_image(image_id, "joe", state="available")
    facts = {"status": "active", "created_at": "2026-01-01", "size": 1}
    return {**glance_wire.new(image), **facts, **more}


async def test_members_of_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who many images are shared with is asked for some at once, and not for all."""
    asked: list[Deferred[tuple[str, ...]]] = []
    ids = [f"ami-{number:08x}" for number in range(25)]

    async def listed(*_: object, **filters: str) -> object:
        return [shown(each, visibility="shared") for each in ids]

    async def members(*_: object) -> tuple[str, ...]:
        asked.append(Deferred())
        return await asked[-1]

    monkeypatch.setattr(Glance, "list", listed)
    monkeypatch.setattr(Glance, "members", members)
    listing = Deferred.fromCoroutine(service(database, glance_auth_token="token").list(JOE))
    for answered in range(25):
        assert len(asked) == min(answered + 10, 25)
        asked[answered].callback(("eve",))
    found = await listing
    assert [each.id for each in found] == ids
    assert {each.launch_projects for each in found} == {("eve",)}


async def removed(
    database: Database, monkeypatch: pytest.MonkeyPatch, outcome: Exception | None
) -> tuple[set[str], set[str]]:
    """Whose tags an image has when its removal came out so, and whose it has an hour later."""

    async def get(*_: object) -> object:
        return shown(IMAGE)

    async def delete(*_: object) -> None:
        if outcome is not None:
            raise outcome

    monkeypatch.setattr(Glance, "get", get)
    monkeypatch.setattr(Glance, "delete", delete)
    for project in ("joe", "eve"):
        await database.run(tags.attach, project, {IMAGE: None}, {"key": project}, now())
    with nullcontext() if outcome is None else pytest.raises(type(outcome)):
        await service(database).deregister(JOE, IMAGE)
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
