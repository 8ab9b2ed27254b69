"""Actions on availability zones and regions.                           [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import Content, Dialect
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, ZoneNotFound
from nova_tx.model import Service


class DescribeAvailabilityZones(Action):
    """
    List zones; as zone C{verbose}, administrators see the hosts and their workers.
    """

    roles = ALL
    ignored = ("AllAvailabilityZones",)

    @dataclass(frozen=True, kw_only=True)
    class Params:
        names: tuple[str, ...] = schema.texts("ZoneName", "ZoneId")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        verbose = "verbose" in params.names
        wanted = set(params.names) - {"verbose"}
        zones = await self.operations.zones.zones()
        unknown = wanted - {zone.name for zone in zones}
        if unknown:
            raise ZoneNotFound(f"Invalid availability zone: [{min(unknown)}]")
        rows: list[Content] = [
            {
                "zoneName": zone.name,
                "zoneState": "available" if zone.available else "not available",
                "regionName": self.operations.zones.regions()[0][0],
            }
            for zone in zones
            if not wanted or zone.name in wanted
        ]
        if verbose and context.is_admin:
            rows += _workers(await self.operations.zones.workers())
        return {"availabilityZoneInfo": rows}


def _workers(workers: tuple[tuple[Service, bool], ...]) -> list[Content]:
    rows: list[Content] = []
    by_host = sorted(workers, key=lambda each: each[0].host)
    for host, group in groupby(by_host, key=lambda each: each[0].host):
        rows.append({"zoneName": f"|- {host}", "zoneState": ""})
        for service, alive in group:
            enabled = "disabled" if service.disabled else "enabled"
            face = ":-)" if alive else "XXX"
            when = service.updated_at and service.updated_at.strftime("%Y-%m-%d %H:%M:%S")
            rows.append(
                {"zoneName": f"| |- {service.binary}", "zoneState": f"{enabled} {face} {when}"}
            )
    return rows


class DescribeRegions(Action):
    """List regions."""

    roles = ALL
    ignored = ("AllRegions",)

    @dataclass(frozen=True, kw_only=True)
    class Params:
        names: tuple[str, ...] = schema.texts("RegionName")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        regions = self.operations.zones.regions()
        unknown = set(params.names) - {name for name, _ in regions}
        if unknown:
            raise InvalidInput(f"Invalid region: [{min(unknown)}]")
        return {
            "regionInfo": [
                {"regionName": name, "regionEndpoint": endpoint}
                for name, endpoint in regions
                if not params.names or name in params.names
            ]
        }
