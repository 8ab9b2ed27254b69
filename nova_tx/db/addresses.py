"""
Fixed addresses: who has which, and who had which until its lease ends.   [spec/06 section 4]

A row is free when it is not reserved and has no instance.  An address that is
given back keeps its instance while a DHCP server holds a lease on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any

from sqlalchemy import Connection, Row, bindparam, false, insert, select, true, update

from nova_tx.context import RequestContext
from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, instances, networks
from nova_tx.errors import Conflict, FixedIpNotFound, NoMoreAddresses
from nova_tx.model.networks import DhcpHost, FixedIp
from nova_tx.states import TERMINATED

#: Rows of one INSERT when a network is made.
BATCH = 10_000

_COLUMNS = tuple(fixed_ips.c[field.name] for field in fields(FixedIp))
_ROWS = select(*_COLUMNS).order_by(fixed_ips.c.id)

# Made once: they take longer to make than to run.
_QUEUE = select(networks.c.id).where(networks.c.id == bindparam("network")).with_for_update()
_ITS = _ROWS.where(
    fixed_ips.c.network_id == bindparam("network"), fixed_ips.c.instance_id == bindparam("instance")
).limit(1)
_FREE = _ROWS.where(
    fixed_ips.c.network_id == bindparam("network"),
    fixed_ips.c.reserved == false(),
    fixed_ips.c.instance_id.is_(None),
).limit(1)
_TAKE = update(fixed_ips).where(
    fixed_ips.c.id == bindparam("the_id"),
    fixed_ips.c.instance_id.is_(None) | (fixed_ips.c.instance_id == bindparam("instance")),
)
_ONE = _ROWS.where(fixed_ips.c.id == bindparam("the_id"))
_GUESTS = (
    select(instances.c.mac_address, instances.c.hostname, fixed_ips.c.address)
    .join(instances, instances.c.id == fixed_ips.c.instance_id)
    .where(fixed_ips.c.network_id == bindparam("network"), fixed_ips.c.allocated == true())
    .order_by(fixed_ips.c.id)
)


def create(
    txn: Connection,
    ranges: Iterable[tuple[int, IPv4Network]],
    low: int,
    high: int = 1,
    told: Callable[[int], object] = lambda _: None,
) -> None:
    """
    A row for each address of new networks, in ascending order.

    @param ranges: (network id, its range) each.
    @param low: how many addresses at the low end are reserved.
    @param high: the same at the high end, the broadcast address among them.
    @param told: is called with the number of rows that are made.
    """
    same = {"allocated": False, "leased": False, "created_at": now(), "deleted": False}
    rows: list[dict[str, Any]] = []
    made = 0
    for network_id, network in ranges:
        rows += [
            {**same, "address": address, "network_id": network_id, "reserved": reserved}
            for address, reserved in _each(network, low, high)
        ]
        for begin in range(0, len(rows) - len(rows) % BATCH, BATCH):
            made += _insert(txn, rows[begin : begin + BATCH])
            told(made)
        rows = rows[len(rows) - len(rows) % BATCH :]
    if rows:
        told(made + _insert(txn, rows))


def _each(network: IPv4Network, low: int, high: int) -> Iterator[tuple[str, bool]]:
    """Every address of a network, and whether it is reserved."""
    first, size = int(network[0]), network.num_addresses
    for index in range(size):
        number = first + index  # as text ten times as soon as by ipaddress
        text = f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        yield text, index < low or size - index <= high


def _insert(txn: Connection, rows: list[dict[str, Any]]) -> int:
    txn.execute(insert(fixed_ips), rows)
    return len(rows)


def allocate(txn: Connection, network_id: int, instance_id: int) -> FixedIp:
    """
    Give an instance the lowest free address of a network; the one it has, if it has one.

    @raise NoMoreAddresses: every address is taken.
    """
    # one at a time per network: "lowest" and "has one" stay true until the commit
    those = {"network": network_id, "instance": instance_id}
    txn.execute(_QUEUE, those).all()
    while True:
        row = txn.execute(_ITS, those).first() or txn.execute(_FREE, those).first()
        if row is None:
            raise NoMoreAddresses(f"no address is free in network {network_id}")
        that = {"the_id": row.id, "instance": instance_id}
        values = {"instance_id": instance_id, "allocated": True, "updated_at": now()}
        if txn.execute(_TAKE, {**that, **values}).rowcount == 1:
            return FixedIp(*txn.execute(_ONE, that).one())


def deallocate(txn: Connection, instance_id: int) -> tuple[FixedIp, ...]:
    """
    Take back an instance's addresses; returns them as they were.

    One without a lease is free at once, the others at the end of their lease.
    """
    rows = txn.execute(_ROWS.where(fixed_ips.c.instance_id == instance_id).with_for_update()).all()
    for row in rows:
        if not row.leased:
            _change(txn, row.id, allocated=False, instance_id=None)
        elif row.allocated:
            _change(txn, row.id, allocated=False)
    return tuple(FixedIp(*row) for row in rows)


def lease(txn: Connection, mac: str, address: str) -> FixedIp:
    """
    A DHCP server has leased an address.

    @raise FixedIpNotFound: the address is not ours, or no instance has it.
    @raise Conflict: the instance that has it has another mac.
    """
    row = _leased_by(txn, mac, address, "leased")
    return _change(txn, row.id, leased=True)


def release(txn: Connection, mac: str, address: str) -> FixedIp:
    """
    A lease has ended; if the address was given back it is free now.

    @raise FixedIpNotFound: the address is not ours, or no instance has it.
    @raise Conflict: the instance that has it has another mac.
    """
    row = _leased_by(txn, mac, address, "released")
    if row.allocated:
        return _change(txn, row.id, leased=False)
    return _change(txn, row.id, leased=False, instance_id=None)


def reclaim(txn: Connection, host: str, before: datetime) -> tuple[str, ...]:
    """
    Free the addresses in a host's networks that were given back before a time.

    For leases whose end nobody reported.
    """
    stale = txn.execute(
        _ROWS.join(networks, networks.c.id == fixed_ips.c.network_id).where(
            networks.c.host == host,
            fixed_ips.c.allocated == false(),
            fixed_ips.c.instance_id.is_not(None),
            fixed_ips.c.updated_at < before,
        )
    ).all()
    freed = []
    for row in stale:
        done = txn.execute(
            update(fixed_ips)
            .where(
                fixed_ips.c.id == row.id,
                fixed_ips.c.allocated == false(),
                fixed_ips.c.updated_at < before,
            )
            .values(instance_id=None, leased=False, updated_at=now())
        )
        if done.rowcount == 1:
            freed.append(row.address)
    return tuple(freed)


def orphans(txn: Connection, host: str) -> tuple[int, ...]:
    """Terminated instances that still have an address in a host's networks."""
    found = txn.execute(
        select(fixed_ips.c.instance_id)
        .join(networks, networks.c.id == fixed_ips.c.network_id)
        .join(instances, instances.c.id == fixed_ips.c.instance_id)
        .where(
            networks.c.host == host,
            fixed_ips.c.allocated == true(),
            instances.c.state_description == TERMINATED,
        )
    )
    return tuple(found.scalars())


def dhcp_hosts(txn: Connection, network_id: int) -> tuple[DhcpHost, ...]:
    """The guests that the DHCP server of a network answers."""
    return tuple(DhcpHost(*row) for row in txn.execute(_GUESTS, {"network": network_id}))


def _leased_by(txn: Connection, mac: str, address: str, what: str) -> Row[Any]:
    row = txn.execute(_ROWS.where(fixed_ips.c.address == address).with_for_update()).first()
    if row is None or row.instance_id is None:
        raise FixedIpNotFound(f"IP {address} {what} that isn't associated")
    its = txn.execute(
        select(instances.c.mac_address).where(instances.c.id == row.instance_id)
    ).scalar_one()
    if its.lower() != mac.lower():
        raise Conflict(f"IP {address} {what} by mac {mac}, not {its}")
    return row


def _change(txn: Connection, id: int, **values: Any) -> FixedIp:
    txn.execute(update(fixed_ips).where(fixed_ips.c.id == id).values(updated_at=now(), **values))
    return FixedIp(*txn.execute(_ONE, {"the_id": id}).one())


def ranges_v6(txn: Connection, context: RequestContext) -> tuple[tuple[int, str, str], ...]:
    """
    Instances that the caller may see in networks with IPv6: id, MAC address, the network's range.
    """
    query = (
        select(instances.c.id, instances.c.mac_address, networks.c.cidr_v6)
        .join(fixed_ips, fixed_ips.c.instance_id == instances.c.id)
        .join(networks, networks.c.id == fixed_ips.c.network_id)
        .where(networks.c.cidr_v6.is_not(None))
    )
    if not context.is_admin:
        query = query.where(instances.c.project_id == context.project)
    return tuple((row.id, row.mac_address, row.cidr_v6) for row in txn.execute(query))
