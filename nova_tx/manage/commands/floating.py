"""Floating addresses.                                                 [spec/10 section 7]"""

from __future__ import annotations

from nova_tx.db import floating_ips
from nova_tx.db.floating_ips import FloatingAddress
from nova_tx.flags import NetworkFlags
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import Parts


async def create(parts: Parts, host: str, range: str | None = None) -> None:
    """Create a floating address for each of a range, by default flag floating_range's."""
    wanted = range or parts.section(NetworkFlags).floating_range
    await parts.database.run(floating_ips.create, host, wanted)


async def delete(parts: Parts, range: str) -> None:
    """Delete the floating addresses of a range; none if a project has one of them."""
    await parts.database.run(floating_ips.remove, range)


async def list_(parts: Parts, host: str | None = None) -> Listing[FloatingAddress]:
    """Print all floating addresses, or a host's."""
    return Listing(
        await parts.database.read(floating_ips.listed, host),
        lambda each: f"{each.host}\t{each.address}\t{each.instance}",
    )
