"""Availability zones and regions, and the workers in them.             [spec/02 section 6]"""

from __future__ import annotations

from dataclasses import dataclass

from nova_tx.db import hosts, services
from nova_tx.db.engine import Database
from nova_tx.errors import ServiceNotFound
from nova_tx.flags import Ec2Flags, NodeFlags
from nova_tx.model.hosts import Service


@dataclass(frozen=True)
class Zone:
    """
    An availability zone.

    @ivar available: a worker in it is enabled.
    @ivar region: the name of the region that it is in.
    """

    name: str
    available: bool
    region: str


@dataclass(frozen=True)
class HostStatus:
    """
    A host, and what is on it.

    @ivar compute: its compute worker was heard of lately; None: it has none. So is C{volume}.
    @ivar instances, volumes: how many.
    """

    name: str
    compute: bool | None
    volume: bool | None
    instances: int
    volumes: int


class Zones:
    """What a user may know of where the cloud is."""

    def __init__(self, database: Database, ec2: Ec2Flags, node: NodeFlags) -> None:
        self._database = database
        self._ec2 = ec2
        self._down_time = node.service_down_time

    async def zones(self) -> tuple[Zone, ...]:
        """Every zone, by name."""
        region = self.regions()[0][0]
        return tuple(Zone(*each, region) for each in await self._database.read(services.zones))

    async def workers(self) -> tuple[tuple[Service, bool], ...]:
        """Every worker, and whether it was heard of lately; for administrators."""
        return tuple(
            (each, each.age < self._down_time)
            for each in await self._database.read(services.listed)
        )

    async def hosts(self) -> tuple[HostStatus, ...]:
        """Every host that has workers, by name; for administrators."""
        heard: dict[str, dict[str, bool]] = {}
        for service, is_up in await self.workers():
            heard.setdefault(service.host, {})[service.binary] = is_up
        instances, volumes = await self._database.read(hosts.loads)
        return tuple(
            HostStatus(
                name,
                binaries.get("nova-compute"),
                binaries.get("nova-volume"),
                instances.get(name, 0),
                volumes.get(name, 0),
            )
            for name, binaries in sorted(heard.items())
        )

    async def host(self, name: str) -> HostStatus:
        """
        One host.

        @raise ServiceNotFound: no worker ever was on it.
        """
        for each in await self.hosts():
            if each.name == name:
                return each
        raise ServiceNotFound(f"There are no workers on host {name}")

    def regions(self) -> tuple[tuple[str, str], ...]:
        """Every region, and the URL of its EC2 API."""
        if not self._ec2.region_list:
            return (("nova", self._ec2.ec2_url or self._url(self._ec2.ec2_host)),)
        pairs = (entry.partition("=") for entry in self._ec2.region_list)
        return tuple((name, self._url(host)) for name, _, host in pairs)

    def _url(self, host: str) -> str:
        flags = self._ec2
        return f"{flags.ec2_scheme}://{host}:{flags.ec2_port}{flags.ec2_path}"
