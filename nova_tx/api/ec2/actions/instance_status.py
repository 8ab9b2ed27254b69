"""Actions on the health of instances.              [AWS API, "DescribeInstanceStatus"]"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.instance_filters import INSTANCES, state_code, state_name, zone
from nova_tx.api.ec2.listing import Listing, Noun
from nova_tx.context import RequestContext
from nova_tx.ids import instance_ec2_id, parse_instance_id
from nova_tx.model.instances import InstanceDetails


def _runs(details: InstanceDetails) -> bool:
    return "running" in state_name(details)


def _status(details: InstanceDetails) -> Iterable[str | None]:
    return ("ok" if _runs(details) else "not-applicable",)


def _reachability(details: InstanceDetails) -> Iterable[str | None]:
    return ("passed" if _runs(details) else None,)


def _nothing(details: InstanceDetails) -> Iterable[str | None]:
    return ()


STATUSES = Noun[InstanceDetails](
    key=INSTANCES.key,
    filters={
        # no events are planned, and no volumes are attached
        **{
            f"event.{part}": _nothing
            for part in (
                *("code", "description", "instance-event-id"),
                *("not-after", "not-before", "not-before-deadline"),
            )
        },
        "attached-ebs-status.status": _nothing,
        "availability-zone": zone,
        "availability-zone-id": _nothing,
        "instance-state-code": state_code,
        "instance-state-name": state_name,
        "instance-status.reachability": _reachability,
        "instance-status.status": _status,
        "system-status.reachability": _reachability,
        "system-status.status": _status,
    },
    tags=INSTANCES.tags,
)


class DescribeInstanceStatus(Action):
    """List the health of instances: of those that run, or of all."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        ids: tuple[int, ...] = schema.values("InstanceId", of=parse_instance_id)
        all: bool | None = schema.boolean("IncludeAllInstances")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        seen = await self.operations.instances.listed(context, params.ids)
        wanted = [each for each in seen if params.all or _runs(each)]
        found, more = STATUSES.page(wanted, params, params.ids)
        return {"instanceStatusSet": [_row(each, dialect) for each in found], **more}


def _row(details: InstanceDetails, dialect: Dialect) -> Content:
    (status,) = _status(details)
    (reachability,) = _reachability(details)
    health: Content = {"status": status}
    if reachability:
        health["details"] = [{"name": "reachability", "status": reachability}]
    return {
        "instanceId": instance_ec2_id(details.instance.id),
        "availabilityZone": dialect.zone(details),
        "instanceState": dialect.state(details.instance),
        "systemStatus": health,
        "instanceStatus": health,
    }
