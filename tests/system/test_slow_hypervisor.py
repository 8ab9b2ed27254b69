"""A hypervisor that does not come to an end with one guest."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import networks
from nova_tx.flags import ComputeFlags
from nova_tx.model.guests import GuestSpec
from nova_tx.operations.instances import Wanted
from nova_tx.testing.cloud import MemoryCloud
from nova_tx.virt.fake import FakeDriver
from nova_tx.virt.libvirt.thread import LibvirtThread

JOHN = RequestContext(user="john", project="physics")
#: The guest that takes for ever.
STUCK = "instance-00000001"


class Slow(FakeDriver):
    """The fake, but for one guest that is not started before C{go_on} fires."""

    def __init__(self, flags: ComputeFlags) -> None:
        super().__init__(flags)
        self.go_on: Deferred[None] = Deferred()

    async def spawn(self, spec: GuestSpec) -> None:
        if spec.name == STUCK:
            await self.go_on
        await super().spawn(spec)


class SlowCloud(MemoryCloud):
    """A cloud with that driver."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, reactor, "--periodic_interval=3600")
        self.driver = self.parts.make(Slow)
        vars(self.parts)["driver"] = self.driver
        self.add_image()

    async def run(self, count: int) -> tuple[int, ...]:
        """Ids of new instances."""
        wanted = Wanted("ami-tiny", max_count=count, instance_type="m1.tiny")
        reserved = await self.parts.operations.instances.run(JOHN, wanted)
        return tuple(each.instance.id for each in reserved)

    async def become(self, ids: tuple[int, ...], state: str) -> None:
        """Wait until all of them are so."""
        while {
            each.instance.state_description
            for each in await self.parts.operations.instances.listed(JOHN, ids)
        } != {state}:
            await deferLater(reactor, 0.01)  # type: ignore[arg-type]


@pytest_twisted.async_yield_fixture
async def cloud(tmp_path: Path) -> AsyncIterator[SlowCloud]:
    """A cloud with a network."""
    cloud = SlowCloud(str(tmp_path))
    await cloud.parts.database.run(
        networks.create, cidr="10.0.0.0/24", count=1, size=256, bridge="br100", dns="8.8.4.4"
    )
    await cloud.open()
    yield cloud
    await cloud.close()


async def test_others_are_served_meanwhile(cloud: SlowCloud, tmp_path: Path) -> None:
    """While a guest is being started without end, others start and end, and it can be ended."""
    stuck = await cloud.run(1)
    await cloud.become(stuck, states.NETWORKING)
    others = await cloud.run(5)
    await cloud.become(others, states.RUNNING)
    await cloud.parts.operations.power.terminate(JOHN, (*stuck, *others))
    await cloud.become(others, states.TERMINATED)
    await cloud.become(stuck, states.TERMINATING)
    cloud.driver.go_on.callback(None)
    await cloud.become(stuck, states.TERMINATED)
    assert [each for each in os.listdir(tmp_path / "instances") if each != "_base"] == []


async def test_a_call_that_hangs_holds_up_its_thread_alone() -> None:
    """A call that libvirt does not answer stops neither the event loop nor other calls."""
    thread = LibvirtThread(reactor, "test:///default", lambda *seen: None, lambda: None)
    await thread.open()
    answer = threading.Event()
    hanging: Any = thread.run(lambda conn: answer.wait(300))
    waiting: Any = thread.run(lambda conn: conn.isAlive())
    assert await waiting
    assert not hanging.called
    answer.set()
    assert await hanging
    await thread.close()
