"""How many transactions and messages a launch costs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import networks
from nova_tx.model.instances import InstanceDetails
from nova_tx.operations.instances import Wanted
from nova_tx.testing.cloud import MemoryCloud

JOHN = RequestContext(user="john", project="physics")


@pytest_twisted.async_yield_fixture
async def cloud(tmp_path: Path):
    """A cloud with a network and an image."""
    cloud = MemoryCloud(str(tmp_path), reactor, "--periodic_interval=3600")
    cloud.add_image()
    await cloud.parts.database.run(
        networks.create, cidr="10.0.0.0/24", count=1, size=256, bridge="br100", dns="8.8.4.4"
    )
    await cloud.open()
    yield cloud
    await cloud.close()


async def launch(cloud: MemoryCloud, count: int) -> tuple[InstanceDetails, ...]:
    """Run instances and wait until nothing is left to do."""
    operations = cloud.parts.operations
    wanted = Wanted("ami-tiny", max_count=count, instance_type="m1.tiny")
    reserved = await operations.instances.run(JOHN, wanted)
    await cloud.bus.idle()
    ids = tuple(each.instance.id for each in reserved)
    return await operations.instances.listed(JOHN, ids)


async def test_a_launch_is_five_transactions_one_call_and_two_casts(cloud: MemoryCloud) -> None:
    """RunInstances costs no more than this, from the request to the running guest."""
    await launch(cloud, 1)  # the host has its image, the project its default group
    cloud.parts.operations.images.forget("ami-tiny")
    cloud.story.clear()
    (found,) = await launch(cloud, 1)
    assert found.instance.state_description == states.RUNNING
    assert found.fixed_ip == "10.0.0.3"
    assert cloud.story.pop() == "read details"  # the test's own look
    kinds = Counter(line.split()[0] for line in cloud.story)
    assert (kinds["transaction"], kinds["read"], kinds["call"], kinds["cast"]) == (5, 0, 1, 2), (
        cloud.story
    )
    assert cloud.story.count("GET image") == 1 and "GET images" not in cloud.story


async def test_a_launch_of_several_reserves_once(cloud: MemoryCloud) -> None:
    """Ten instances of one request are reserved in one transaction, with one look at the image."""
    found = await launch(cloud, 10)
    assert {each.instance.state_description for each in found} == {states.RUNNING}
    assert len({each.fixed_ip for each in found}) == 10
    assert cloud.story.count("transaction reserve") == 1
    assert cloud.story.count("GET image") == 1


async def test_a_termination_is_three_transactions_one_call_and_one_cast(
    cloud: MemoryCloud,
) -> None:
    """TerminateInstances costs no more than this, and gives everything back."""
    (found,) = await launch(cloud, 1)
    cloud.story.clear()
    await cloud.parts.operations.power.terminate(JOHN, [found.instance.id])
    await cloud.bus.idle()
    kinds = Counter(line.split()[0] for line in cloud.story)
    assert kinds["transaction"] <= 4 and (kinds["call"], kinds["cast"]) == (1, 1), cloud.story
    (gone,) = await cloud.parts.operations.instances.listed(JOHN, [found.instance.id])
    assert gone.instance.state_description == states.TERMINATED
    assert await cloud.parts.driver.guests() == {}
