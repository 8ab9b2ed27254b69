"""
Hosts and what runs on them: as Nova's client reads what Nova never told it.
                                              [spec/02 section 7; nova-adminclient 0.1.8]
"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import SUPERUSERS, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.operations.zones import HostStatus


class DescribeHosts(Action):
    """Every host, whether its workers were heard of lately, and what is on it."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        pass

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return {"hosts": [_host(each) for each in await self.operations.zones.hosts()]}


class DescribeHost(Action):
    """One host."""

    roles = SUPERUSERS

    @dataclass(frozen=True, kw_only=True)
    class Params:
        name: str = schema.text("Name", required=True)

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        return _host(await self.operations.zones.host(params.name))


def _host(host: HostStatus) -> Content:
    return {
        "hostname": host.name,
        "compute": _state(host.compute),
        "volume": _state(host.volume),
        "instanceCount": host.instances,
        "volumeCount": host.volumes,
    }


def _state(is_up: bool | None) -> str | None:
    return None if is_up is None else "up" if is_up else "down"
