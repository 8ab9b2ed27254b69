"""Actions on availability zones and regions.                           [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from nova_tx.api.ec2 import schema
from nova_tx.api.ec2.action import ALL, Action
from nova_tx.api.ec2.dialect import NOT_REQUIRED, Content, Dialect
from nova_tx.api.ec2.listing import Filtered, Noun
from nova_tx.context import RequestContext
from nova_tx.errors import InvalidInput, ZoneNotFound
from nova_tx.model.hosts import Service
from nova_tx.operations.zones import Zone

ZONES = Noun[Zone](
    key=lambda zone: zone.name,
    filters={
        "zone-name": lambda zone: (zone.name,),
        "zone-id": lambda zone: (zone.name,),
        # as either kind of client sees it
        "state": lambda zone: (
            ("available",) if zone.available else ("unavailable", "not available")
        ),
        "region-name": lambda zone: (zone.region,),
        "group-name": lambda zone: (zone.region,),
        "zone-type": lambda zone: ("availability-zone",),
        "opt-in-status": lambda zone: (NOT_REQUIRED,),
        "message": lambda zone: (),
        "group-long-name": lambda zone: (),
        "parent-zone-id": lambda zone: (),
        "parent-zone-name": lambda zone: (),
    },
)

#: Regions: name and URL of each.
REGIONS = Noun[tuple[str, str]](
    key=lambda region: region[0],
    filters={
        "region-name": lambda region: (region[0],),
        "endpoint": lambda region: (region[1],),
        "opt-in-status": lambda region: (NOT_REQUIRED,),
    },
)


class DescribeAvailabilityZones(Action):
    """
    List zones; as zone C{verbose}, administrators see the hosts and their workers.
    """

    roles = ALL
    ignored = ("AllAvailabilityZones",)

    @dataclass(frozen=True, kw_only=True)
    class Params(Filtered):
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
                "zoneState": dialect.zone_state(zone.available),
                "regionName": zone.region,
                **dialect.zone_more(zone),
            }
            for zone in ZONES.passing(zones, params.filters)
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
    class Params(Filtered):
        names: tuple[str, ...] = schema.texts("RegionName")

    async def run(self, context: RequestContext, params: Params, dialect: Dialect) -> Content:
        regions = self.operations.zones.regions()
        unknown = set(params.names) - {name for name, _ in regions}
        if unknown:
            raise InvalidInput(f"Invalid region: [{min(unknown)}]")
        return {
            "regionInfo": [
                {"regionName": name, "regionEndpoint": endpoint, **dialect.region_more()}
                for name, endpoint in REGIONS.passing(regions, params.filters)
                if not params.names or name in params.names
            ]
        }
