"""Sizes of instances.                                                 [spec/10 section 13]"""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from nova_tx.db import instance_types
from nova_tx.db.dialects import reason
from nova_tx.errors import InvalidInput
from nova_tx.manage.catalogue import LARGEST
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import CommandFailed, Parts
from nova_tx.model.instances import InstanceType

ALIAS = "flavor"

_ROW = (
    "{0.name}: Memory: {0.memory_mb}MB, VCPUS: {0.vcpus}, Storage: {0.local_gb}GB,"
    " FlavorID: {0.flavorid}, Swap: {0.swap}GB, RXTX Quota: {0.rxtx_quota}GB,"
    " RXTX Cap: {0.rxtx_cap}MB"
)


async def create(
    parts: Parts,
    name: str,
    memory: str,
    vcpus: str,
    local_gb: str,
    flavorid: str,
    swap: str = "0",
    rxtx_quota: str = "0",
    rxtx_cap: str = "0",
) -> None:
    """Create a size: MEMORY in MB, LOCAL_GB and SWAP in GB; FLAVORID is a number of its own."""
    try:
        sizes = [int(each) for each in (memory, vcpus, local_gb, flavorid)]
        extras = [int(each) for each in (swap, rxtx_quota, rxtx_cap)]
        if max(*sizes, *extras) > LARGEST:
            raise ValueError
    except ValueError:
        raise InvalidInput("Must supply valid parameters to create instance type") from None
    try:
        await parts.database.run(instance_types.create, InstanceType(name, *sizes, *extras))
    except DBAPIError as error:
        raise CommandFailed(f"DB Error: {reason(error)}", 2) from None
    print(f"{name} created")


async def delete(parts: Parts, name: str, *, purge: bool = False) -> None:
    """Let no more instances be made of a size; --purge forgets it."""
    await parts.database.run(instance_types.purge if purge else instance_types.remove, name)
    print(f"{name} {'purged' if purge else 'deleted'}")


async def list_(
    parts: Parts, name: str | None = None, *, all: bool = False
) -> Listing[tuple[InstanceType, bool]]:
    """Print all sizes, or one; --all: also those that were deleted."""
    found = await parts.database.read(instance_types.every)
    wanted = [
        each for each in found if (each[1] or all) and name in (None, "", "all", each[0].name)
    ]
    if name and not wanted:
        raise InvalidInput("Valid instance type name is required")
    return Listing(
        wanted,
        lambda each: _ROW.format(each[0]) + ("" if each[1] else ", inactive"),
        lambda each: {**vars(each[0]), "active": each[1]},
    )
