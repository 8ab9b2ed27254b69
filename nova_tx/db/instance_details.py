"""Instances with all that a list shows of them."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, or_, select

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.instances import not_found
from nova_tx.db.schema import (
    fixed_ips,
    floating_ips,
    instances,
    security_group_instance_association,
    security_groups,
    services,
)
from nova_tx.errors import FixedIpNotFound
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import Instance, InstanceDetails

_NAMES = tuple(field.name for field in fields(Instance))
_COLUMNS = tuple(instances.c[name] for name in _NAMES)
_NONE: Mapping[str, str] = {}


def details(
    txn: Connection,
    context: RequestContext,
    ids: Sequence[int],
    terminated_after: datetime,
) -> tuple[InstanceDetails, ...]:
    """
    The instances that the caller may see, by id, in three queries however many.

    @param ids: these only, if there are any.
    @param terminated_after: those that ended before are left out.
    @raise InstanceNotFound: one of C{ids} is not there, or not the caller's.
    """
    found = _details(
        txn,
        _listing(context.is_admin, bool(ids)),
        {
            "after": terminated_after,
            "project": context.project,
            "type": "instance",
            "ids": list(ids),
            "resources": [instance_ec2_id(each) for each in ids],
        },
    )
    seen = {each.instance.id for each in found}
    for instance_id in ids:
        if instance_id not in seen:
            raise not_found(instance_id)
    return found


def of_reservation(
    txn: Connection, context: RequestContext, reservation_id: str
) -> tuple[InstanceDetails, ...]:
    """The instances of a reservation of the caller's project, those that ended among them."""
    values = {
        "reservation": reservation_id,
        "project": context.project,
        "type": "instance",
        "after": tags.EVER,
    }
    return _details(txn, _reservation(), values)


def at_address(txn: Connection, address: str) -> InstanceDetails:
    """
    The instance that has a fixed address now.

    @raise FixedIpNotFound: no instance has it.
    """
    found = _details(txn, _holder(), {"address": address})
    if not found:
        raise FixedIpNotFound(f"No instance has the address {address}")
    return found[0]


class _Queries(NamedTuple):
    """Instances with their addresses and zone, the names of their groups, their tags."""

    rows: Select[Any]
    groups: Select[Any]
    tags: Select[Any] | None = None


@functools.cache
def _listing(everybodys: bool, some: bool) -> _Queries:
    """Made once: statements of this size take longer to make than to run."""
    where = [
        or_(
            instances.c.state_description != states.TERMINATED,
            instances.c.deleted_at > bindparam("after"),
        )
    ]
    if not everybodys:
        where.append(instances.c.project_id == bindparam("project"))
    if some:
        where.append(instances.c.id.in_(bindparam("ids", expanding=True)))
    return _queries(and_(*where))._replace(tags=tags.statement(some))


@functools.cache
def _reservation() -> _Queries:
    """The instances of a reservation."""
    where = and_(
        instances.c.reservation_id == bindparam("reservation"),
        instances.c.project_id == bindparam("project"),
    )
    return _queries(where)._replace(tags=tags.statement(False))


@functools.cache
def _holder() -> _Queries:
    """The instance that has an address."""
    holder = select(fixed_ips.c.instance_id).where(
        fixed_ips.c.address == bindparam("address"), fixed_ips.c.allocated.is_(True)
    )
    return _queries(
        and_(
            instances.c.id.in_(holder.scalar_subquery()),
            instances.c.state_description != states.TERMINATED,
        )
    )


def _queries(where: ColumnElement[bool]) -> _Queries:
    zone = (
        select(services.c.availability_zone)
        .where(services.c.host == instances.c.host)
        .order_by(services.c.id)
        .limit(1)
        .scalar_subquery()
    )
    address = and_(fixed_ips.c.instance_id == instances.c.id, fixed_ips.c.allocated.is_(True))
    joined = instances.outerjoin(fixed_ips, address).outerjoin(
        floating_ips, floating_ips.c.fixed_ip_id == fixed_ips.c.id
    )
    link = security_group_instance_association
    named = link.join(security_groups, security_groups.c.id == link.c.security_group_id)
    return _Queries(
        select(*_COLUMNS, fixed_ips.c.address, floating_ips.c.address, zone)
        .select_from(joined)
        .where(where)
        .order_by(instances.c.id, fixed_ips.c.id, floating_ips.c.id),
        select(link.c.instance_id, security_groups.c.name)
        .select_from(named.join(instances, instances.c.id == link.c.instance_id))
        .where(where)
        .order_by(link.c.id),
    )


def _details(
    txn: Connection, queries: _Queries, values: Mapping[str, object]
) -> tuple[InstanceDetails, ...]:
    rows = txn.execute(queries.rows, values).all()
    groups: dict[int, list[str]] = defaultdict(list)
    for instance_id, name in txn.execute(queries.groups, values) if rows else ():
        groups[instance_id].append(name)
    noted: Mapping[str, Mapping[str, str]] = {}
    if rows and queries.tags is not None:
        noted = tags.by_resource(txn.execute(queries.tags, values))
    found: dict[int, InstanceDetails] = {}
    for row in rows:  # an instance's further floating addresses are further rows of it
        fixed, floating, zone_name = row[len(_COLUMNS) :]
        instance = _instance(row)
        found.setdefault(
            instance.id,
            InstanceDetails(
                instance,
                fixed,
                floating,
                tuple(groups.get(instance.id, ())),
                zone_name,
                noted.get(instance_ec2_id(instance.id), _NONE) if noted else _NONE,
            ),
        )
    return tuple(found.values())


def _instance(row: Sequence[Any]) -> Instance:
    """The instance of a row, made without C{__init__}: that would be a third of a list's time."""
    made = object.__new__(Instance)
    made.__dict__.update(zip(_NAMES, row, strict=False))  # further columns are not its own
    return made
