"""Fixed addresses.                                                    [spec/10 section 7]"""

from __future__ import annotations

from nova_tx.db import overview
from nova_tx.db.overview import Address
from nova_tx.errors import NotFound
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import CommandFailed, Parts

_ROW = "%-18s\t%-15s\t%-17s\t%-15s\t%s"


async def list_(parts: Parts, host: str | None = None) -> Listing[Address]:
    """Print all fixed addresses, or those of the instances on a host."""
    try:
        found = await parts.database.read(overview.fixed_ips, host)
    except NotFound as error:
        raise CommandFailed(f"error: {error}", 2) from None
    return Listing(
        found,
        lambda each: _ROW % (each.network, each.address, each.mac, each.hostname, each.host),
        header=_ROW % ("network", "IP address", "MAC address", "hostname", "host"),
    )
