"""Floating addresses: made by the operator, in a network host's care.   [spec/06 section 8]"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from nova_tx.db.engine import now
from nova_tx.db.schema import fixed_ips, floating_ips
from nova_tx.errors import Duplicate, InUse, InvalidInput, NotFound
from nova_tx.ids import instance_ec2_id

#: Addresses that one command makes or deletes at most.
MOST = 2**16
#: Addresses that one statement names: SQLite has bounds.
_AT_ONCE = 500


@dataclass(frozen=True)
class FloatingAddress:
    """
    A row, as an operator sees it.

    @ivar instance: the EC2 id of the instance that is reached by it.
    """

    host: str | None
    address: str
    instance: str | None
    project: str | None


def create(txn: Connection, host: str, cidr: str) -> int:
    """
    A row for each address of a range, network and broadcast address too; returns how many.

    @raise InvalidInput: it is no range, or a very large one; no host could be called so.
    @raise Duplicate: one is there already; none is made.
    """
    addresses = in_range(cidr)
    if not host or not host.isprintable() or " " in host:
        raise InvalidInput(f"{host!r} is no host's name")
    taken = _there(txn, addresses)
    if taken:
        raise Duplicate(f"floating address {taken[0].address} is there already")
    made_at = now()
    rows = [{"address": each, "host": host, "created_at": made_at} for each in addresses]
    try:
        txn.execute(insert(floating_ips), rows)
    except IntegrityError:
        raise Duplicate(f"a floating address of {cidr} is there already") from None
    return len(rows)


def remove(txn: Connection, cidr: str) -> int:
    """
    Take the rows of a range away; returns how many.

    @raise InvalidInput: it is no range, or a very large one.
    @raise NotFound: no address of it is there.
    @raise InUse: one is a project's; none is taken away.
    """
    addresses = in_range(cidr)
    there = _there(txn, addresses)
    if not there:
        raise NotFound(f"there is no floating address of {cidr}")
    for each in there:
        if each.instance or each.project:
            whose = f"instance {each.instance}" if each.instance else f"project {each.project}"
            raise InUse(f"floating address {each.address} can't be deleted: {whose} has it")
    gone = 0
    for some in _parts(addresses):
        gone += txn.execute(_DELETED.where(floating_ips.c.address.in_(some))).rowcount
    if gone < len(there):
        raise InUse(f"a floating address of {cidr} is being given to a project; none was deleted")
    return gone


def listed(txn: Connection, host: str | None = None) -> tuple[FloatingAddress, ...]:
    """Every floating address, or those in a host's care, in the order of their making."""
    query = _LISTED if host is None else _LISTED.where(floating_ips.c.host == host)
    return tuple(_address(row) for row in txn.execute(query))


def in_range(cidr: str) -> list[str]:
    """
    Every address of a range; an address alone is one.

    @raise InvalidInput: it is none, or has more than L{MOST}.
    """
    try:
        found = IPv4Network(cidr)
    except ValueError as error:
        raise InvalidInput(f"{cidr!r} is no range of addresses: {error}") from None
    if found.num_addresses > MOST:
        raise InvalidInput(f"{cidr} has {found.num_addresses} addresses, at most {MOST} at once")
    return [str(each) for each in found]


_LISTED = (
    select(
        floating_ips.c.host,
        floating_ips.c.address,
        floating_ips.c.project_id,
        fixed_ips.c.instance_id,
    )
    .outerjoin(fixed_ips, fixed_ips.c.id == floating_ips.c.fixed_ip_id)
    .order_by(floating_ips.c.id)
)


#: Others may give an address away after it was looked at.
_DELETED = delete(floating_ips).where(
    floating_ips.c.project_id.is_(None), floating_ips.c.fixed_ip_id.is_(None)
)


def _there(txn: Connection, addresses: Sequence[str]) -> list[FloatingAddress]:
    found: list[FloatingAddress] = []
    for some in _parts(addresses):
        found += map(_address, txn.execute(_LISTED.where(floating_ips.c.address.in_(some))))
    return found


def _address(row: Row[Any, Any, Any, Any]) -> FloatingAddress:
    instance = None if row.instance_id is None else instance_ec2_id(row.instance_id)
    return FloatingAddress(row.host, row.address, instance, row.project_id)


def _parts(addresses: Sequence[str]) -> list[Sequence[str]]:
    return [addresses[i : i + _AT_ONCE] for i in range(0, len(addresses), _AT_ONCE)]
