"""Sizes of instances.                                                  [spec/02 section 7]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2.action import SUPERUSERS, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext


class DescribeInstanceTypes(Action):
    """Every type of instance."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        pass

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return {
            "instanceTypeSet": [
                {
                    "memoryMb": each.memory_mb,
                    "vcpus": each.vcpus,
                    "name": each.name,
                    "diskGb": each.local_gb,
                    "flavorId": each.flavorid,
                }
                for each in (await self.operations.types.types()).values()
            ]
        }
