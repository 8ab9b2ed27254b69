"""
Actions on instances that are there: start, stop, reboot, rescue, terminate.
                                                              [spec/02 section 6; spec/15 C19]
RescueInstance and UnrescueInstance are Nova's own.  Bexar named no role for
them, so that only superusers might; here they are, like all else that is done
to an instance, for who looks after the project's instances.
"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SYSADMIN, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput
from nova_tx.ids import instance_ec2_id, parse_instance_id
from nova_tx.operations.power import Changes


@dataclass(frozen=True, kw_only=True)
class _Several:
    ids: tuple[int, ...] = schema.values("InstanceId", of=parse_instance_id, required=True)


@dataclass(frozen=True, kw_only=True)
class _One:
    instance_id: int = schema.value("InstanceId", of=parse_instance_id, required=True)


class StartInstances(Action):
    """Switch stopped instances on, all or none."""

    roles = SYSADMIN
    ignored = ("AdditionalInfo",)
    Params = _Several

    async def run(self, context: RequestContext, params: _Several, dialect: Dialect) -> Content:
        return _changed(await self.operations.power.start(context, params.ids), dialect)


class StopInstances(Action):
    """Switch instances off, all or none; they keep their disks and addresses."""

    roles = SYSADMIN

    @dataclass(frozen=True, kw_only=True)
    class Params(_Several):
        force: bool | None = schema.boolean("Force")
        hibernate: bool | None = schema.boolean("Hibernate")
        skip_os_shutdown: bool | None = schema.boolean("SkipOsShutdown")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        if params.hibernate:
            raise InvalidInput("Invalid value 'true' for Hibernate: no instance can hibernate")
        force = bool(params.force or params.skip_os_shutdown)
        return _changed(await self.operations.power.stop(context, params.ids, force), dialect)


class RebootInstances(Action):
    """Switch instances off and on, all or none."""

    roles = SYSADMIN
    Params = _Several

    async def run(self, context: RequestContext, params: _Several, dialect: Dialect) -> Content:
        await self.operations.power.reboot(context, params.ids)
        return {"return": True}


class TerminateInstances(Action):
    """End instances, all or none."""

    roles = SYSADMIN
    # a guest that ends has no say in it, forced or not
    ignored = ("Force", "SkipOsShutdown")
    Params = _Several

    async def run(self, context: RequestContext, params: _Several, dialect: Dialect) -> Content:
        changed = await self.operations.power.terminate(context, params.ids)
        return {**_changed(changed, dialect), **dialect.terminated()}


class RescueInstance(Action):
    """Boot an instance from the rescue image, with its root disk as the second."""

    roles = SYSADMIN
    Params = _One

    async def run(self, context: RequestContext, params: _One, dialect: Dialect) -> Content:
        await self.operations.power.rescue(context, params.instance_id)
        return {"return": True}


class UnrescueInstance(Action):
    """Boot a rescued instance from its own disk again."""

    roles = SYSADMIN
    Params = _One

    async def run(self, context: RequestContext, params: _One, dialect: Dialect) -> Content:
        await self.operations.power.unrescue(context, params.instance_id)
        return {"return": True}


def _changed(changes: Changes, dialect: Dialect) -> Content:
    return {
        "instancesSet": [
            {"instanceId": instance_ec2_id(after.id), **dialect.change(before, after)}
            for before, after in changes
        ]
    }
