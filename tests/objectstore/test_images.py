"""The registry over HTTP, when it is large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted  # type: ignore[import-untyped]
from sqlalchemy import event, insert

from nova_tx.context import RequestContext
from nova_tx.db.engine import now
from nova_tx.db.schema import image_permissions, images
from nova_tx.testing.database import memory_database
from nova_tx.testing.objectstore import RunningObjectstore, running_objectstore

JOE = RequestContext("joe", "joe")


@pytest_twisted.async_yield_fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningObjectstore]:
    """An objectstore with no images."""
    from twisted.internet import reactor

    async with running_objectstore(tmp_path, memory_database(), reactor) as found:
        yield found


async def _fill(running: RunningObjectstore, first: int, count: int) -> None:
    """Images, a third of them joe's, a third public, a third open to joe's project."""
    same: dict[str, Any] = {"created_at": now(), "deleted": False}
    image = {"user_id": "u", "architecture": "x86_64", "type": "machine", "display_name": ""}
    ids = [f"ami-{number:08}" for number in range(first, first + count)]

    def fill(txn: Any) -> None:
        rows = [
            {
                **(same | image),
                "state": "available",
                "id": each,
                "location": f"bucket/{each}",
                "owner": "joe" if number % 3 == 0 else "eve",
                "is_public": number % 3 == 1,
            }
            for number, each in enumerate(ids)
        ]
        txn.execute(insert(images), rows)
        opened = [{**same, "image_id": each, "project_id": "joe"} for each in ids[2::3]]
        txn.execute(insert(image_permissions), opened)

    await running.database.run(fill)


async def test_ten_thousand(running: RunningObjectstore) -> None:
    """Ten thousand images are listed with as many questions to the database as ten are."""
    asked: list[str] = []
    event.listen(
        running.database.engine, "before_cursor_execute", lambda *args: asked.append(args[2])
    )
    await _fill(running, 0, 10)
    asked.clear()
    assert len(await running.images.list(JOE)) == 10
    few = len(asked)
    assert 0 < few <= 5
    await _fill(running, 10, 9990)
    asked.clear()
    found = await running.images.list(JOE)
    assert len(found) == 10_000
    assert len(asked) == few
    assert found[0].id == "ami-00000000"
    assert sum(1 for each in found if each.launch_projects == ("joe",)) == 3333
