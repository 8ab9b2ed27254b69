"""Sizes of instances: those that are built in, and what an operator makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import attributes, instance_types, instances, reservations
from nova_tx.db.engine import Database
from nova_tx.errors import Duplicate, InvalidInput, NotFound
from nova_tx.flags import QuotaFlags
from nova_tx.model.instances import (
    INSTANCE_TYPES,
    InstanceDetails,
    InstanceRequest,
    InstanceType,
)

NOW = datetime(2011, 2, 15, 7, 28, 32)
QUOTA = QuotaFlags()
JOE = RequestContext("joe", "project")
HUGE = InstanceType("m2.huge", 999, 3, 40, 9)
WANTED = InstanceRequest(
    image_id="ami-tiny",
    kernel_id=None,
    ramdisk_id=None,
    instance_type="m2.huge",
    min_count=1,
    max_count=1,
    key_name=None,
    security_groups=(),
    user_data=None,
    availability_zone=None,
    display_name=None,
    display_description=None,
)


async def run(database: Database, name: str = "m2.huge") -> InstanceDetails:
    """An instance of a size."""
    request = replace(WANTED, instance_type=name)
    (made,) = await database.run(reservations.reserve, JOE, request, QUOTA, NOW)
    return made


async def test_built_in(database: Database) -> None:
    """Bexar's five are there from the start."""
    assert await database.read(instance_types.types) == INSTANCE_TYPES


async def test_made(database: Database) -> None:
    """Instances of a size that was made are as it says; without it there are none."""
    with pytest.raises(InvalidInput, match=r"Invalid value 'm2\.huge' for InstanceType"):
        await run(database)
    await database.run(instance_types.create, HUGE)
    made = (await run(database)).instance
    assert (made.memory_mb, made.vcpus, made.local_gb) == (999, 3, 40)


async def test_deleted(database: Database) -> None:
    """Of a size that was deleted there are no new instances; those that are stay."""
    await database.run(instance_types.create, HUGE)
    made = (await run(database)).instance
    await database.run(instance_types.remove, "m2.huge")
    with pytest.raises(InvalidInput):
        await run(database)
    assert (await database.read(instances.get, made.id)).instance_type == "m2.huge"
    with pytest.raises(NotFound):
        await database.run(instance_types.remove, "m2.huge")


async def test_built_in_deleted(database: Database) -> None:
    """One of Bexar's is hidden by its deletion, and back when that is forgotten."""
    await database.run(instance_types.remove, "m1.tiny")
    with pytest.raises(InvalidInput):
        await run(database, "m1.tiny")
    await database.run(instance_types.purge, "m1.tiny")
    assert (await run(database, "m1.tiny")).instance.memory_mb == 512


async def test_made_anew(database: Database) -> None:
    """A deleted size can be made another one; one that is there can't, nor its flavor's id."""
    await database.run(instance_types.remove, "m1.tiny")
    other = InstanceType("m1.tiny", 64, 1, 0, 1)
    await database.run(instance_types.create, other)
    assert (await database.read(instance_types.types))["m1.tiny"] == other
    with pytest.raises(Duplicate, match=r"instance type m1\.tiny is there already"):
        await database.run(instance_types.create, other)
    with pytest.raises(Duplicate, match=r"flavor 2 is m1\.small already"):
        await database.run(instance_types.create, replace(HUGE, flavorid=2))


async def test_resized(database: Database) -> None:
    """A stopped instance can become one of a size that was made."""
    await database.run(instance_types.create, HUGE)
    made = (await run(database, "m1.tiny")).instance
    for event in (states.PLACE, states.BUILD, states.RUN, states.STOP):
        await database.run(instances.move, made.id, event)
    found = await database.run(attributes.resize, JOE, made.id, "m2.huge", QUOTA, NOW)
    assert (found.instance_type, found.vcpus) == ("m2.huge", 3)
