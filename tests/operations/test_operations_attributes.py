"""Attributes of instances, below any door."""

from __future__ import annotations

import pytest

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import instances
from nova_tx.db.engine import Database
from nova_tx.errors import InstanceNotFound
from nova_tx.operations.instances import Wanted
from nova_tx.testing.ec2 import Door, an_image

JOE, EVE = RequestContext("joe", "joe"), RequestContext("eve", "eve")


async def test_others(database: Database) -> None:
    """No door can change another project's instance."""
    door = Door(database)
    door.images.put(an_image(), an_image(id="aki-1", type="kernel"))
    await door.operations.instances.run(JOE, Wanted("ami-tiny"))
    for move in (states.BUILD, states.RUN, states.STOP):
        await database.run(instances.move, 1, move)
    before = await database.read(instances.get, 1)
    ask = door.operations.attributes
    for change in (
        ask.set_type(EVE, 1, "m1.tiny"),
        ask.set_kernel(EVE, 1, "aki-1"),
        ask.set_user_data(EVE, 1, ""),
        ask.reset_kernel(EVE, 1),
        ask.reset_ramdisk(EVE, 1),
        ask.protect(EVE, 1, True),
        ask.set_behavior(EVE, 1, "terminate"),
        ask.describe_as(EVE, 1, "eve's", None),
    ):
        with pytest.raises(InstanceNotFound):
            await change
    assert await database.read(instances.get, 1) == before
