"""Networks: the ranges that guests get their addresses from.          [spec/06 sections 2, 3]"""

from __future__ import annotations

from dataclasses import fields
from ipaddress import IPv4Address, IPv4Network

from sqlalchemy import ColumnElement, Connection, bindparam, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db import addresses
from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, networks
from nova_tx.errors import Duplicate, InvalidInput, NetworkNotFound
from nova_tx.model.networks import Network

#: Network, gateway, one guest, broadcast.
SMALLEST = 4

_COLUMNS = tuple(networks.c[field.name] for field in fields(Network))
_OF_INSTANCE = (
    select(*_COLUMNS)
    .where(
        networks.c.id.in_(
            select(fixed_ips.c.network_id).where(
                fixed_ips.c.instance_id == bindparam("instance"), fixed_ips.c.allocated == true()
            )
        )
    )
    .order_by(networks.c.id)
)
_FIRST = select(*_COLUMNS).order_by(networks.c.id).limit(1)


def create(
    txn: Connection,
    cidr: str,
    count: int,
    size: int,
    bridge: str,
    dns: str | None = None,
    dhcp_start: str | None = None,
) -> tuple[Network, ...]:
    """
    Cut C{count} networks of C{size} addresses from the start of a range, with all their rows.

    All or nothing.  Network, gateway and broadcast address are reserved, and
    in each network what lies as low as the addresses of the first below
    C{dhcp_start}, which is the third address unless given.

    @raise InvalidInput: the range is no range, or too small; the size is no
        power of two; C{dhcp_start} is not a guest's address of the first network.
    @raise Duplicate: an address of them is in another network already.
    """
    ranges = cut(cidr, count, size)
    low = first_guest(ranges[0], dhcp_start)
    for taken in map(IPv4Network, txn.execute(select(networks.c.cidr)).scalars()):
        if ranges[0][0] <= taken[-1] and taken[0] <= ranges[-1][-1]:
            raise Duplicate(f"network {taken} is there already")
    try:
        made = [_insert(txn, each, low, bridge, dns) for each in ranges]
        addresses.create(txn, zip(made, ranges, strict=True), low)
    except IntegrityError:
        raise Duplicate(f"a network of {cidr} is there already") from None
    return _select(txn, networks.c.id >= made[0], networks.c.id <= made[-1])


def cut(cidr: str, count: int, size: int) -> list[IPv4Network]:
    """
    The first C{count} networks of C{size} addresses in a range.

    @raise InvalidInput: as L{create}.
    """
    try:
        whole = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidInput(f"{cidr!r} is no range of addresses: {error}") from None
    if count < 1:
        raise InvalidInput(f"the number of networks must be 1 or more, not {count}")
    if size < SMALLEST or size & (size - 1):
        raise InvalidInput(
            f"the size of a network must be a power of two, {SMALLEST} or more, not {size}"
        )
    if count * size > whole.num_addresses:
        raise InvalidInput(
            f"{cidr} has {whole.num_addresses} addresses; "
            f"{count} networks of {size} need {count * size}"
        )
    prefix = 32 - (size.bit_length() - 1)
    return [IPv4Network((int(whole[0]) + i * size, prefix)) for i in range(count)]


def first_guest(network: IPv4Network, dhcp_start: str | None) -> int:
    """
    How many addresses at the low end of a network are not for guests.

    @raise InvalidInput: C{dhcp_start} is not a guest's address of the network.
    """
    if not dhcp_start:
        return 2
    try:
        index = int(IPv4Address(dhcp_start)) - int(network[0])
    except ValueError:
        index = 0
    if not 2 <= index < network.num_addresses - 1:
        raise InvalidInput(f"{dhcp_start!r} is not a guest's address of {network}")
    return index


def listed(txn: Connection) -> tuple[Network, ...]:
    """Every network, in the order of their making."""
    return _select(txn)


def get(txn: Connection, network_id: int) -> Network:
    """
    One network.

    @raise NetworkNotFound: there is none of that id.
    """
    found = _select(txn, networks.c.id == network_id)
    if not found:
        raise NetworkNotFound(f"network {network_id} not found")
    return found[0]


def claim(txn: Connection, host: str) -> tuple[Network, ...]:
    """
    The networks that a host carries, after taking those that nobody carries.

    The first to ask gets them.                                    [spec/06 section 3]
    """
    txn.execute(
        update(networks).where(networks.c.host.is_(None)).values(host=host, updated_at=now())
    )
    return _select(txn, networks.c.host == host)


def for_instance(txn: Connection, instance_id: int) -> Network:
    """
    The network an instance has its address in, or would get it in: the first one.

    Flat managers use no other.                                    [spec/06 section 2]

    @raise NetworkNotFound: there is no network yet.
    """
    found = txn.execute(_OF_INSTANCE, {"instance": instance_id}).first()
    found = found or txn.execute(_FIRST).first()
    if found is None:
        raise NetworkNotFound("there is no network yet; nova-manage network create makes one")
    return Network(*found)


def host_for(txn: Connection, instance_id: int) -> str | None:
    """The host that carries an instance's network, None if nobody does (yet)."""
    try:
        return for_instance(txn, instance_id).host
    except NetworkNotFound:
        return None


def vpn(txn: Connection, project_id: str) -> tuple[str, int] | None:
    """
    The public address and port of a project's VPN; None: it has none.

    A look never gives the project a network.                            [spec/15 D5]
    """
    row = txn.execute(
        select(networks.c.vpn_public_address, networks.c.vpn_public_port)
        .where(networks.c.project_id == project_id, networks.c.deleted.is_(False))
        .where(networks.c.vpn_public_address.is_not(None), networks.c.vpn_public_port.is_not(None))
        .order_by(networks.c.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.vpn_public_address, row.vpn_public_port)


def _insert(txn: Connection, network: IPv4Network, low: int, bridge: str, dns: str | None) -> int:
    made = txn.execute(
        insert(networks).values(
            cidr=str(network),
            netmask=str(network.netmask),
            bridge=bridge,
            gateway=str(network[1]),
            broadcast=str(network.broadcast_address),
            dns=dns,
            dhcp_start=str(network[low]),
            created_at=now(),
        )
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _select(txn: Connection, *wanted: ColumnElement[bool]) -> tuple[Network, ...]:
    rows = txn.execute(select(*_COLUMNS).where(*wanted).order_by(networks.c.id))
    return tuple(Network(*row) for row in rows)
