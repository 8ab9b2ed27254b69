"""The scheduler gives hosts, fails what gets none, and finds what was lost."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlalchemy import insert
from twisted.internet.task import Clock

from nova_tx import states
from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instances, schema, services
from nova_tx.db.engine import Database, now
from nova_tx.errors import WrongState
from nova_tx.flags import BusFlags, NodeFlags, SchedulerFlags
from nova_tx.model.instances import Instance
from nova_tx.rpc.memory import MemoryRPC
from nova_tx.scheduler.client import SchedulerClient
from nova_tx.scheduler.policies.simple import Simple
from nova_tx.scheduler.worker import LOST_AFTER, SchedulerWorker
from nova_tx.testing.database import memory_database
from nova_tx.testing.lines import logged_lines
from nova_tx.testing.rows import an_instance

JOHN = RequestContext(user="john", project="physics")


class ComputeHost:
    """Takes messages as a compute worker, and writes them down."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.owners: list[tuple[str | None, str | None]] = []
        self.requests: list[str] = []

    async def remote_run_instance(self, context: RequestContext, instance_id: int) -> None:
        self.asked.append(instance_id)
        self.owners.append((context.user, context.project))
        self.requests.append(context.request_id)


class Setting:
    """A scheduler, a bus and a database, and hosts as a test needs them."""

    def __init__(self) -> None:
        self.database: Database = memory_database()
        self.rpc = MemoryRPC(BusFlags(), Clock())
        self.worker = SchedulerWorker(
            self.database,
            ComputeClient(self.rpc, "compute"),
            Simple(SchedulerFlags()),
            NodeFlags(),
            BusFlags(),
        )
        self.client = SchedulerClient(self.rpc, "scheduler", "compute")

    async def host(self, name: str) -> ComputeHost:
        """A live compute host that takes messages."""
        host = ComputeHost()
        await self.database.run(services.report, name, "nova-compute", "compute", "nova", True)
        await self.rpc.serve("compute", name, host)
        return host

    async def row(self, **changes: object) -> Instance:
        """An instance that waits for a host."""
        columns = dataclasses.asdict(an_instance(created_at=now(), **changes))
        await self.database.run(lambda txn: txn.execute(insert(schema.instances).values(columns)))
        return await self.database.run(instances.get, an_instance(**changes).id)

    async def now(self) -> Instance:
        """The row as it is."""
        return await self.database.read(instances.get, 1)


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_an_instance_gets_a_host_and_the_host_is_told(setting: Setting) -> None:
    """The chosen host is in the row before the message is sent to it, and to no other."""
    await setting.row(id=9, host="HostB", state_description=states.RUNNING, vcpus=4)
    await setting.row()
    busy, idle = await setting.host("HostB"), await setting.host("HostC")
    await setting.rpc.serve("scheduler", "HostA", setting.worker)
    await setting.client.run_instance(JOHN, 1)
    await setting.rpc.idle()
    row = await setting.now()
    assert (idle.asked, busy.asked) == ([1], [])
    assert (row.host, row.state_description) == ("HostC", states.SCHEDULING)
    assert row.scheduled_at is not None


async def test_without_a_live_host_the_instance_fails_with_the_reason(setting: Setting) -> None:
    """No instance stays in scheduling for ever for want of a host."""
    await setting.row()
    await setting.worker.remote_run_instance(JOHN, "compute", 1)
    row = await setting.now()
    assert (row.state_description, row.reason) == (states.ERROR, "No hosts found")


async def test_a_host_that_takes_no_messages_fails_the_instance(setting: Setting) -> None:
    """A host whose row is fresh but which has no queue is no end in silence."""
    await setting.row()
    report = ("HostB", "nova-compute", "compute", "nova", True)
    await setting.database.run(services.report, *report)
    await setting.worker.remote_run_instance(JOHN, "compute", 1)
    row = await setting.now()
    assert (row.state_description, row.reason) == (states.ERROR, "Host HostB takes no messages")


async def test_a_terminated_instance_is_not_scheduled(setting: Setting) -> None:
    """A message that comes too late finds the wrong state and stops."""
    await setting.row(state_description=states.TERMINATED)
    host = await setting.host("HostB")
    with pytest.raises(WrongState):
        await setting.worker.remote_run_instance(JOHN, "compute", 1)
    assert host.asked == []


async def test_what_was_never_scheduled_is_scheduled_later(setting: Setting) -> None:
    """An accepted launch whose message was lost is found by its row."""
    await setting.row(id=1)
    host = await setting.host("HostB")
    await setting.worker.periodic()
    assert host.asked == []  # it may still be on its way
    long_ago = now() - timedelta(seconds=LOST_AFTER + 1)
    await setting.database.run(
        lambda txn: txn.execute(schema.instances.update().values(created_at=long_ago))
    )
    with logged_lines() as lines:
        await setting.worker.periodic()
    await setting.rpc.idle()
    assert host.asked == [1]
    # its images are fetched in its owner's name
    assert host.owners == [("john", "physics")]
    # and what is said of it has one id, in this log and in the host's
    assert lines.of("instance 1 goes to HostB") == host.requests


async def test_recovery_asks_in_the_clouds_own_name() -> None:
    """The cloud's own context is an administrator's, of nobody."""
    context = admin_context()
    assert (context.user, context.project, context.is_admin) == (None, None, True)
