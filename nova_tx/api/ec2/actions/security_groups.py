"""Actions on security groups.                                          [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.model import SecurityGroup, SecurityGroupRule


class DescribeSecurityGroups(Action):
    """List security groups with their rules."""

    roles = ALL
    ignored = ("MaxResults",)

    @dataclass(frozen=True, kw_only=True)
    class Params:
        names: tuple[str, ...] = schema.texts("GroupName", "GroupId")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        found = await self.operations.security_groups.listed(context, params.names)
        return {"securityGroupInfo": [_group(group, dialect) for group in found]}


def _group(group: SecurityGroup, dialect: Dialect) -> Content:
    return {
        "ipPermissions": [_rule(rule) for rule in group.rules],
        **dialect.group(group.name),
        "groupName": group.name,
        "groupDescription": group.description,
        "ownerId": group.project_id,
    }


def _rule(rule: SecurityGroupRule) -> Content:
    source = {"groupName": rule.group_name, "userId": rule.group_project}
    return {
        "ipProtocol": rule.protocol,
        "fromPort": rule.from_port,
        "toPort": rule.to_port,
        "groups": [source] if rule.group_name else [],
        "ipRanges": [{"cidrIp": rule.cidr}] if rule.cidr else [],
    }
