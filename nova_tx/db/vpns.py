"""VPN servers: where projects' networks say that they are, and instances that are one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, false, select

from nova_tx.db.schema import fixed_ips, instances, networks


@dataclass(frozen=True)
class Vpn:
    """
    The VPN of a project.

    @ivar ip: address and C{port} at which it is reached from outside, if its network has them.
    @ivar private_ip: address of its instance, if there is one.
    """

    project: str
    ip: str | None = None
    port: int | None = None
    private_ip: str | None = None
    host: str | None = None
    instance_id: int | None = None
    state: str | None = None


def listed(txn: Connection, image_id: str) -> dict[str, Vpn]:
    """
    The VPN of each project that has a network or a server, by project.

    @param image_id: what VPN servers boot from.
    """
    servers = {
        row.project_id: row
        for row in txn.execute(
            select(
                instances.c.project_id,
                instances.c.id,
                instances.c.host,
                instances.c.state_description,
                fixed_ips.c.address,
            )
            .outerjoin(fixed_ips, fixed_ips.c.instance_id == instances.c.id)
            .where(instances.c.image_id == image_id, instances.c.deleted == false())
        )
    }
    places = {
        row.project_id: (row.vpn_public_address, row.vpn_public_port)
        for row in txn.execute(
            select(
                networks.c.project_id, networks.c.vpn_public_address, networks.c.vpn_public_port
            ).where(networks.c.project_id.is_not(None))
        )
    }
    found = {}
    for project in servers.keys() | places.keys():
        ip, port = places.get(project, (None, None))
        server = servers.get(project)
        found[project] = (
            Vpn(project, ip, port)
            if server is None
            else Vpn(
                project, ip, port, server.address, server.host, server.id, server.state_description
            )
        )
    return found
