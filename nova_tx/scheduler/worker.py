"""
The scheduler: gives each new instance a host, and sends again what was lost.   [spec/13]
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Connection
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import hosts, instances
from nova_tx.db.engine import Database, now
from nova_tx.errors import NoValidHost, Unroutable, WrongState
from nova_tx.flags import BusFlags, NodeFlags
from nova_tx.log import in_context
from nova_tx.model.hosts import Host
from nova_tx.model.instances import Instance
from nova_tx.scheduler.policies.interfaces import IPolicy

_log = Logger()

#: Seconds after which a row that no host was chosen for has lost its message.
LOST_AFTER = 10


class SchedulerWorker:
    """Answers topic C{scheduler}."""

    names = ("nova.scheduler.manager.SchedulerManager", "scheduler")

    def __init__(
        self,
        database: Database,
        compute: ComputeClient,
        policy: IPolicy,
        node: NodeFlags,
        bus: BusFlags,
    ) -> None:
        self._database = database
        self._compute = compute
        self._compute_topic = bus.compute_topic
        self._policy = policy
        self._down_time = node.service_down_time

    async def start(self) -> None:
        """Nothing is held between runs: the rows say it all."""

    async def periodic(self) -> None:
        """Choose hosts for instances whose message was lost."""
        before = now() - timedelta(seconds=LOST_AFTER)
        for instance in await self._database.read(instances.waiting, before):
            _log.info("instance {id} was never scheduled; it is now", id=instance.id)
            owner = admin_context(instance.user_id, instance.project_id)
            with in_context(owner):
                await self._schedule(owner, instance.id)

    async def stop(self) -> None:
        """Nothing is held."""

    async def remote_run_instance(
        self, context: RequestContext, topic: str, instance_id: int
    ) -> None:
        """Choose a compute host, write it into the row, tell the host."""
        await self._schedule(context, instance_id)

    async def _schedule(self, context: RequestContext, instance_id: int) -> None:
        try:
            instance = await self._database.run(
                place,
                instance_id,
                context.is_admin,
                self._policy,
                self._compute_topic,
                self._down_time,
            )
        except NoValidHost as error:
            await self._fail(instance_id, str(error))
            return
        assert instance.host is not None
        _log.info("instance {id} goes to {host}", id=instance_id, host=instance.host)
        try:
            await self._compute.run_instance(context, instance.host, instance_id)
        except Unroutable:
            await self._fail(instance_id, f"Host {instance.host} takes no messages")

    async def _fail(self, instance_id: int, reason: str) -> None:
        _log.warn("instance {id} gets no host: {reason}", id=instance_id, reason=reason)
        try:
            await self._database.run(instances.fail, instance_id, reason)
        except WrongState:
            pass  # its owner has terminated it meanwhile


def place(
    txn: Connection,
    instance_id: int,
    is_admin: bool,
    policy: IPolicy,
    topic: str,
    down_time: int,
) -> Instance:
    """
    Choose a host and write it into the instance's row.

    @raise NoValidHost: there is none.
    @raise WrongState: the instance is not C{scheduling} any more.
    """
    instance = instances.get(txn, instance_id)
    if instance.state_description != states.SCHEDULING:
        raise WrongState(f"instance {instance_id} is {instance.state_description}")
    chosen = choose(hosts.live(txn, topic, down_time), instance, is_admin, policy)
    return instances.move(txn, instance_id, states.PLACE, host=chosen.name, scheduled_at=now())


def choose(candidates: Sequence[Host], instance: Instance, is_admin: bool, policy: IPolicy) -> Host:
    """
    The host for an instance: pinned by C{zone:host} (administrators only), or chosen
    by the policy among those of its zone.                      [spec/13 section 4; spec/15 A21]

    @raise NoValidHost: there is none.
    """
    zone, _, pinned = (instance.availability_zone or "").partition(":")
    if pinned and is_admin:
        for host in candidates:
            if host.name == pinned:
                return host
        raise NoValidHost(f"Host {pinned} is not alive")
    eligible = [host for host in candidates if zone in ("", host.zone)]
    if not eligible:
        raise NoValidHost("No hosts found")
    return policy.choose(eligible, instance)
