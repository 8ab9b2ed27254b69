"""What an operator sees of the whole cloud: every address, every instance."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, false, func, select

from nova_tx.db.schema import fixed_ips as address_rows
from nova_tx.db.schema import instances as instance_rows
from nova_tx.db.schema import networks, services
from nova_tx.errors import NotFound
from nova_tx.model.instances import Instance


@dataclass(frozen=True)
class Address:
    """
    A fixed address with its network and, if it has one, its instance.

    @ivar network: its range.
    """

    network: str
    address: str
    mac: str | None
    hostname: str | None
    host: str | None


def fixed_ips(txn: Connection, host: str | None) -> tuple[Address, ...]:
    """
    Every fixed address, or those of the instances on one host, in the order of their making.

    @raise NotFound: nothing is known of that host.
    """
    found = txn.execute(
        select(
            networks.c.cidr,
            address_rows.c.address,
            instance_rows.c.mac_address,
            instance_rows.c.hostname,
            instance_rows.c.host,
        )
        .join(networks, networks.c.id == address_rows.c.network_id)
        .outerjoin(instance_rows, instance_rows.c.id == address_rows.c.instance_id)
        .where(*_on(txn, host))
        .order_by(address_rows.c.id)
    )
    return tuple(Address(*row) for row in found)


def instances(txn: Connection, host: str | None) -> tuple[Instance, ...]:
    """
    Every instance that is not terminated, or those on one host, oldest first.

    @raise NotFound: nothing is known of that host.
    """
    columns = [instance_rows.c[field.name] for field in fields(Instance)]
    found = txn.execute(
        select(*columns)
        .where(instance_rows.c.deleted == false(), *_on(txn, host))
        .order_by(instance_rows.c.id)
    )
    return tuple(Instance(*row) for row in found)


def states(txn: Connection, host: str) -> dict[str, int]:
    """How many instances of a host are in each state; those that are terminated are not told."""
    column = instance_rows.c.state_description
    rows = select(column, func.count()).where(
        instance_rows.c.host == host, instance_rows.c.deleted == false()
    )
    return {state: number for state, number in txn.execute(rows.group_by(column))}


def _on(txn: Connection, host: str | None) -> list[ColumnElement[bool]]:
    if host is None:
        return []
    for table in (services, instance_rows):
        if txn.execute(select(table.c.id).where(table.c.host == host).limit(1)).first():
            return [instance_rows.c.host == host]
    raise NotFound(f"no host {host} is known")
