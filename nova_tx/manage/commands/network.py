"""Networks.                                                           [spec/10 section 8]"""

from __future__ import annotations

from nova_tx.bar import Bar
from nova_tx.db import networks
from nova_tx.db.networks import Vlans
from nova_tx.flags import NetworkFlags
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import UNTOLD, Parts
from nova_tx.model.networks import Network

#: Hundreds of thousands of addresses are made in one transaction.
PATIENCE = 600.0

_ROW = "%-18s\t%-15s\t%-15s\t%-15s"


async def create(
    parts: Parts,
    fixed_range: str | None = None,
    num: int | None = None,
    size: int | None = None,
    vlan_start: int | None = None,
    vpn_start: int | None = None,
    fixed_range_v6: str | None = None,
    label: str | None = None,
) -> None:
    """
    Create networks in a range; what is left out is as the flags say.

    VLAN_START and VPN_START are for networks with VLANs, which flag network_manager chooses.
    """
    flags = parts.section(NetworkFlags)
    count = flags.num_networks if num is None else num
    size = flags.network_size if size is None else size
    bar = Bar("creating addresses", max(count * size, 1), patience=UNTOLD)
    try:
        await parts.database.run(
            networks.create,
            fixed_range or flags.fixed_range,
            count,
            size,
            flags.flat_network_bridge,
            flags.flat_network_dns or None,
            flags.flat_network_dhcp_start or None,
            label=label,
            vlans=_vlans(flags, vlan_start, vpn_start),
            cidr_v6=fixed_range_v6 or None,
            told=bar.show,
        )
    finally:
        bar.end()


async def delete(parts: Parts, cidr: str) -> None:
    """Delete a network that is no project's and has no instances, with its addresses."""
    await parts.database.run(networks.remove, cidr)


async def list_(parts: Parts) -> Listing[Network]:
    """Print all networks."""
    return Listing(
        await parts.database.read(networks.listed),
        lambda each: _ROW % (each.cidr, each.netmask, each.dhcp_start, each.dns),
        header=_ROW % ("network", "netmask", "start address", "DNS"),
    )


def _vlans(flags: NetworkFlags, vlan: int | None, vpn: int | None) -> Vlans | None:
    """None for flat networks."""
    if "vlan" not in flags.network_manager.lower():
        return None
    return Vlans(
        flags.vlan_start if vlan is None else vlan,
        flags.vpn_start if vpn is None else vpn,
        flags.cnt_vpn_clients,
    )
