"""Actions on instances with IPv6.                                      [spec/02 section 6]"""

from __future__ import annotations

from nova_tx.api.ec2.action import SUPERUSERS
from nova_tx.api.ec2.actions import instances
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.ids import instance_ec2_id


class DescribeInstancesV6(instances.DescribeInstances):
    """List instances by reservation, with the IPv6 addresses of those that have one."""

    roles = SUPERUSERS

    async def run(
        self,
        context: RequestContext,
        params: instances.DescribeInstances.Params,
        dialect: Dialect,
    ) -> Content:
        told = await super().run(context, params, dialect)
        found = await self.operations.ipv6.addresses(context)
        by_name = {instance_ec2_id(number): address for number, address in found.items()}
        reservations = told["reservationSet"]
        assert isinstance(reservations, list)
        for reservation in reservations:
            for instance in reservation["instancesSet"]:
                if instance["instanceId"] in by_name:
                    instance["dnsNameV6"] = by_name[instance["instanceId"]]
        return told
