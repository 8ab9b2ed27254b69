"""IPv6 addresses, which guests make themselves of their network's range and their MAC address."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from nova_tx.context import RequestContext
from nova_tx.db import addresses
from nova_tx.db.engine import Database


class Ipv6:
    """What a user may know of instances' IPv6 addresses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def addresses(self, context: RequestContext) -> dict[int, str]:
        """By instance, the addresses of those that the caller may see and that have one."""
        found = await self._database.read(addresses.ranges_v6, context)
        return {instance_id: address(cidr, mac) for instance_id, mac, cidr in found}


def address(cidr: str, mac: str) -> str:
    """
    The address that a network card gives itself: of C{fd00::/64} and C{02:16:3e:00:00:01},
    C{fd00::16:3eff:fe00:1}.                                            [RFC 4291, appendix A]
    """
    parts = bytes.fromhex(mac.replace(":", ""))
    host = bytes((parts[0] ^ 0x02, *parts[1:3], 0xFF, 0xFE, *parts[3:]))
    first = int(IPv6Network(cidr).network_address)
    return str(IPv6Address(first | int.from_bytes(host, "big")))
