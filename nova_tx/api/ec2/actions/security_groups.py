"""Actions on security groups.                                          [spec/02 section 6]"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.api.ec2.listing import Listing, Noun, Values
from nova_tx.context import RequestContext
from nova_tx.model.access import SecurityGroup, SecurityGroupRule


def _of_rules(
    value: Callable[[SecurityGroupRule], str | int | None],
) -> Values[SecurityGroup]:
    """What any rule of a group has there."""
    return lambda group: (None if value(rule) is None else str(value(rule)) for rule in group.rules)


def _nothing(group: SecurityGroup) -> Iterable[str | None]:
    return ()


SECURITY_GROUPS = Noun[SecurityGroup](
    key=lambda group: f"{group.id:010}",
    filters={
        # nothing of these is in this cloud: all is let out, and there are no VPCs
        **{
            f"egress.ip-permission.{part}": _nothing
            for part in (
                *("cidr", "from-port", "group-id", "group-name", "ipv6-cidr"),
                *("prefix-list-id", "protocol", "to-port", "user-id"),
            )
        },
        "description": lambda group: (group.description,),
        "group-id": lambda group: (group.name,),
        "group-name": lambda group: (group.name,),
        "ip-permission.cidr": _of_rules(lambda rule: rule.cidr),
        "ip-permission.from-port": _of_rules(lambda rule: rule.from_port),
        "ip-permission.group-id": _of_rules(lambda rule: rule.group_name),
        "ip-permission.group-name": _of_rules(lambda rule: rule.group_name),
        "ip-permission.ipv6-cidr": _nothing,
        "ip-permission.prefix-list-id": _nothing,
        "ip-permission.protocol": _of_rules(lambda rule: rule.protocol),
        "ip-permission.to-port": _of_rules(lambda rule: rule.to_port),
        "ip-permission.user-id": _of_rules(lambda rule: rule.group_project),
        "owner-id": lambda group: (group.project_id,),
        "vpc-id": _nothing,
    },
    tags=lambda group: {},  # none can be given yet
)


class DescribeSecurityGroups(Action):
    """List security groups with their rules."""

    roles = ALL

    @dataclass(frozen=True, kw_only=True)
    class Params(Listing):
        names: tuple[str, ...] = schema.texts("GroupName", "GroupId")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        seen = await self.operations.security_groups.listed(context, params.names)
        found, more = SECURITY_GROUPS.page(seen, params, params.names)
        return {"securityGroupInfo": [_group(group, dialect) for group in found], **more}


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
