"""Actions on the account."""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput


class DescribeAccountAttributes(Action):
    """List attributes of the account: EC2's classic network, and how many instances it may have."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params:
        names: tuple[str, ...] = schema.texts("AttributeName")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        limits = await self.operations.quotas.limits(context)
        attributes = {
            "supported-platforms": "EC2",
            "default-vpc": "none",
            "max-instances": str(limits.instances),
        }
        unknown = set(params.names) - attributes.keys()
        if unknown:
            raise InvalidInput(f"Invalid value '{min(unknown)}' for AttributeName")
        return {
            "accountAttributeSet": [
                {"attributeName": name, "attributeValueSet": [{"attributeValue": value}]}
                for name, value in attributes.items()
                if not params.names or name in params.names
            ]
        }
