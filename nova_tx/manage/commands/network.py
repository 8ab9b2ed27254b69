"""Networks.                                                           [spec/10 section 8]"""

from __future__ import annotations

from nova_tx.db import networks
from nova_tx.flags import NetworkFlags
from nova_tx.manage.parts import Parts

_ROW = "%-18s\t%-15s\t%-15s\t%-15s"


async def create(
    parts: Parts, fixed_range: str | None = None, num: int | None = None, size: int | None = None
) -> None:
    """Create networks in a range; what is left out is as the flags say."""
    flags = parts.section(NetworkFlags)
    await parts.database.run(
        networks.create,
        fixed_range or flags.fixed_range,
        flags.num_networks if num is None else num,
        flags.network_size if size is None else size,
        flags.flat_network_bridge,
        flags.flat_network_dns or None,
        flags.flat_network_dhcp_start or None,
    )


async def list_(parts: Parts) -> None:
    """Print all networks."""
    print(_ROW % ("network", "netmask", "start address", "DNS"))
    for each in await parts.database.read(networks.listed):
        print(_ROW % (each.cidr, each.netmask, each.dhcp_start, each.dns))
