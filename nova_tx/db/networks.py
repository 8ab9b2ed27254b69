"""Networks: the ranges that guests get their addresses from.          [spec/06 sections 2, 3]"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db import addresses
from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, floating_ips, instances, networks
from nova_tx.errors import Duplicate, InUse, InvalidInput, NetworkNotFound
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


@dataclass(frozen=True)
class Vlans:
    """
    What networks of projects have beside flat ones: each a VLAN and a bridge of its own.

    @ivar vlan: id of the first network's VLAN.
    @ivar vpn_port: public port of the first network's VPN server.
    @ivar vpn_clients: addresses at the high end of each that VPN clients have.
    """

    vlan: int
    vpn_port: int
    vpn_clients: int = 0


def create(
    txn: Connection,
    cidr: str,
    count: int,
    size: int,
    bridge: str,
    dns: str | None = None,
    dhcp_start: str | None = None,
    *,
    label: str | None = None,
    vlans: Vlans | None = None,
    cidr_v6: str | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> tuple[Network, ...]:
    """
    Cut C{count} networks of C{size} addresses from the start of a range, with all their rows.

    All or nothing.  Network, gateway and broadcast address are reserved, and
    in each network what lies as low as the addresses of the first below
    C{dhcp_start}, which is the third address unless given; with VLANs the
    third is the VPN server's, and the fourth the guests' first.

    @param bridge: of flat networks; with VLANs it is C{br<VLAN>}.
    @param cidr_v6: a range of which each network gets a /64.
    @param told: is called with the number of addresses that are made.
    @raise InvalidInput: a range is no range, or too small; the size is no
        power of two; there are not so many VLANs, or ports, from the first on;
        C{dhcp_start} is not a guest's address of the first network.
    @raise Duplicate: an address of them is in another network already, or a VLAN is taken.
    """
    ranges = cut(cidr, count, size)
    if vlans is not None and not (vlans.vlan > 0 and vlans.vlan + count - 1 < 4095):
        raise InvalidInput(
            f"{count} networks from VLAN {vlans.vlan} on: VLANs are numbered from 1 to 4094"
        )
    if vlans is not None and not (vlans.vpn_port > 0 and vlans.vpn_port + count - 1 < 65536):
        raise InvalidInput(
            f"{count} VPN servers from port {vlans.vpn_port} on: ports are numbered from 1 to 65535"
        )
    low = first_guest(ranges[0], dhcp_start) if vlans is None else 3
    high = 1 if vlans is None else 1 + vlans.vpn_clients
    if low + high >= size:
        raise InvalidInput(f"a network of {size} addresses has none left for guests")
    ranges_v6 = cut_v6(cidr_v6, count) if cidr_v6 else [None] * count
    for taken in map(IPv4Network, txn.execute(select(networks.c.cidr)).scalars()):
        if ranges[0][0] <= taken[-1] and taken[0] <= ranges[-1][-1]:
            raise Duplicate(f"network {taken} is there already")
    if vlans is not None:
        _refuse_taken(txn, vlans.vlan, count)
    rows = [
        _row(each, low, f"br{vlans.vlan + i}" if vlans else bridge, dns)
        | {"label": label, "cidr_v6": v6}
        | (_of_vlan(each, vlans, i) if vlans else {})
        for i, (each, v6) in enumerate(zip(ranges, ranges_v6, strict=True))
    ]
    try:
        made = [_insert(txn, row) for row in rows]
        addresses.create(txn, zip(made, ranges, strict=True), low, high, told)
    except IntegrityError:
        raise Duplicate(f"a network of {cidr} is there already") from None
    return _select(txn, networks.c.id >= made[0], networks.c.id <= made[-1])


def _refuse_taken(txn: Connection, first: int, count: int) -> None:
    taken = txn.execute(
        select(networks.c.vlan).where(networks.c.vlan.between(first, first + count - 1)).limit(1)
    ).scalar()
    if taken is not None:
        raise Duplicate(f"VLAN {taken} is another network's already")


def cut_v6(cidr: str, count: int) -> list[str]:
    """
    The first C{count} /64s of a range.

    @raise InvalidInput: it is no range of IPv6 addresses, or has not so many.
    """
    try:
        whole = IPv6Network(cidr)
    except ValueError as error:
        raise InvalidInput(f"{cidr!r} is no range of IPv6 addresses: {error}") from None
    if whole.prefixlen > 64 or count > 2 ** (64 - whole.prefixlen):
        raise InvalidInput(f"{cidr} has no {count} networks of /64")
    return [str(IPv6Network((int(whole[0]) + (i << 64), 64))) for i in range(count)]


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


def remove(txn: Connection, cidr: str) -> None:
    """
    Take a network away, with its addresses.

    @raise NetworkNotFound: there is none of that range.
    @raise InUse: it is a project's, or an instance has an address of it.
    """
    found = txn.execute(
        # what allocates an address queues here, too
        select(networks.c.id, networks.c.project_id)
        .where(networks.c.cidr == cidr)
        .with_for_update()
    ).first()
    if found is None:
        raise NetworkNotFound(f"there is no network {cidr}")
    if found.project_id is not None:
        raise InUse(f"Network must be disassociated from project {found.project_id} before delete")
    its = select(fixed_ips.c.id).where(fixed_ips.c.network_id == found.id)
    guest = txn.execute(
        select(instances.c.hostname)
        .join(fixed_ips, fixed_ips.c.instance_id == instances.c.id)
        .where(fixed_ips.c.network_id == found.id)
        .limit(1)
    ).scalar()
    if guest is not None:
        raise InUse(f"Network {cidr} can't be deleted: instance {guest} has an address of it")
    txn.execute(
        update(floating_ips).where(floating_ips.c.fixed_ip_id.in_(its)).values(fixed_ip_id=None)
    )
    txn.execute(delete(fixed_ips).where(fixed_ips.c.network_id == found.id))
    txn.execute(delete(networks).where(networks.c.id == found.id))


def free(txn: Connection, project_id: str) -> bool:
    """Take a project its network; False if it had none."""
    freed = txn.execute(
        update(networks)
        .where(networks.c.project_id == project_id)
        .values(project_id=None, updated_at=now())
    )
    return freed.rowcount > 0


def set_vpn(txn: Connection, project_id: str, address: str, port: int) -> None:
    """
    Say where from outside the VPN server of a project's network is reached.

    @raise NetworkNotFound: the project has no network.
    @raise Duplicate: another network's VPN server is there.
    """
    try:
        done = txn.execute(
            update(networks)
            .where(networks.c.project_id == project_id)
            .values(vpn_public_address=address, vpn_public_port=port, updated_at=now())
        )
    except IntegrityError:
        raise Duplicate(f"{address}:{port} is another project's already") from None
    if not done.rowcount:
        raise NetworkNotFound(f"project {project_id} has no network")


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


def _row(network: IPv4Network, low: int, bridge: str, dns: str | None) -> dict[str, object]:
    return {
        "cidr": str(network),
        "netmask": str(network.netmask),
        "bridge": bridge,
        "gateway": str(network[1]),
        "broadcast": str(network.broadcast_address),
        "dns": dns,
        "dhcp_start": str(network[low]),
        "created_at": now(),
    }


def _of_vlan(network: IPv4Network, vlans: Vlans, index: int) -> dict[str, object]:
    return {
        "vlan": vlans.vlan + index,
        "vpn_private_address": str(network[2]),
        "vpn_public_port": vlans.vpn_port + index,
    }


def _insert(txn: Connection, row: dict[str, object]) -> int:
    made = txn.execute(insert(networks), row)
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def _select(txn: Connection, *wanted: ColumnElement[bool]) -> tuple[Network, ...]:
    rows = txn.execute(select(*_COLUMNS).where(*wanted).order_by(networks.c.id))
    return tuple(Network(*row) for row in rows)
