"""VPN servers of projects' networks.                                  [spec/10 section 6]"""

from __future__ import annotations

from ipaddress import IPv4Address

from nova_tx.db import networks, vpns
from nova_tx.db.vpns import Vpn
from nova_tx.errors import InvalidInput, ProjectNotFound
from nova_tx.flags import NetworkFlags
from nova_tx.ids import instance_ec2_id
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts
from nova_tx.manage.vpn_ping import answers

_ROW = "%-12s\t %-20s\t %-20s\t %s"


async def change(parts: Parts, project: str, ip: str, port: int) -> None:
    """Say where from outside the VPN server of a project is reached."""
    if not 0 < port < 65536:
        raise InvalidInput(f"PORT must be from 1 to 65535, not {port}")
    try:
        IPv4Address(ip)
    except ValueError:
        raise InvalidInput(f"IP must be an IPv4 address, not {ip!r}") from None
    try:
        await parts.users.project(project)
    except ProjectNotFound:
        raise ProjectNotFound(f"No project {project}") from None
    await parts.database.run(networks.set_vpn, project, ip, port)


async def list_(parts: Parts, project: str | None = None) -> Listing[Vpn]:
    """Print where the VPN server of each project, or of one, is, and whether it answers."""
    if project:
        wanted = [(await parts.users.project(project)).id]
    else:
        wanted = [each.id for each in await parts.users.projects()]
    image = parts.section(NetworkFlags).vpn_image_id
    found = await parts.database.read(vpns.listed, image)
    return Listing(
        [found.get(each, Vpn(each)) for each in wanted],
        _line,
        lambda each: {**vars(each), "up": _up(each)},
        _ROW % ("project", "ip:port", "private_ip", "state"),
    )


def _line(each: Vpn) -> str:
    where = f"{each.ip}:{each.port}"
    if each.instance_id is None:
        return f"%-12s\t %-20s\t {None}" % (each.project, where)
    server = (each.private_ip, each.host, instance_ec2_id(each.instance_id), each.state)
    state = "up" if _up(each) else "down"
    return f"%-12s\t %-20s\t {' '.join(map(str, server))} {state}" % (each.project, where)


def _up(each: Vpn) -> bool:
    known = each.ip is not None and each.port is not None and each.instance_id is not None
    return known and answers(str(each.ip), int(each.port or 0))
