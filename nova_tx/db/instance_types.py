"""
Sizes of instances: the five of Bexar, and what the operator has made of them.   [spec/12]

A row says of its name more than L{INSTANCE_TYPES} does; one that is deleted hides it.
"""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db.engine import now
from nova_tx.db.schema import instance_types
from nova_tx.errors import Duplicate, InvalidInput, NotFound
from nova_tx.model.instances import INSTANCE_TYPES, InstanceType

_COLUMNS = tuple(instance_types.c[field.name] for field in fields(InstanceType))
_ALL = select(instance_types.c.deleted, *_COLUMNS).order_by(instance_types.c.created_at)
_ONE = _ALL.where(instance_types.c.name == bindparam("wanted"))


def types(txn: Connection) -> dict[str, InstanceType]:
    """Every size that can be had, by name."""
    return {each.name: each for each, there in every(txn) if there}


def every(txn: Connection) -> tuple[tuple[InstanceType, bool], ...]:
    """Every size, and whether it can be had still."""
    found = {name: (kind, True) for name, kind in INSTANCE_TYPES.items()}
    for deleted, *values in txn.execute(_ALL):
        kind = InstanceType(*values)
        found[kind.name] = (kind, not deleted)
    return tuple(found.values())


def called(txn: Connection, name: str) -> InstanceType:
    """
    The size of that name.

    @raise InvalidInput: there is none.
    """
    row = txn.execute(_ONE, {"wanted": name}).first()
    if row is not None and row.name == name and not row.deleted:
        return InstanceType(*row[1:])
    if row is None and name in INSTANCE_TYPES:
        return INSTANCE_TYPES[name]
    raise InvalidInput(f"Invalid value '{name}' for InstanceType.")


def create(txn: Connection, kind: InstanceType) -> None:
    """
    Make a size; one that was deleted may be made anew, and be another one.

    @raise InvalidInput: there can't be instances of that size.
    @raise Duplicate: the name, or the flavor's id, is another one's.
    """
    least = (kind.memory_mb > 0, kind.vcpus > 0, kind.local_gb >= 0, kind.flavorid > 0)
    if not kind.name or not all((*least, min(kind.swap, kind.rxtx_quota, kind.rxtx_cap) >= 0)):
        raise InvalidInput("Must supply valid parameters to create instance type")
    there = types(txn)
    if kind.name in there:
        raise Duplicate(f"instance type {kind.name} is there already")
    for other in there.values():
        if other.flavorid == kind.flavorid:
            raise Duplicate(f"flavor {kind.flavorid} is {other.name} already")
    txn.execute(delete(instance_types).where(instance_types.c.name == kind.name))
    try:
        txn.execute(insert(instance_types).values(**vars(kind), created_at=now()))
    except IntegrityError:
        raise Duplicate(f"instance type {kind.name} is there already") from None


def remove(txn: Connection, name: str) -> None:
    """
    Let no more instances be made of a size; those that are stay as they are.

    @raise NotFound: there is none.
    """
    kind = types(txn).get(name)
    if kind is None:
        raise NotFound("Valid instance type name is required")
    gone = {"deleted": True, "deleted_at": now()}
    row = update(instance_types).where(instance_types.c.name == name).values(**gone)
    if not txn.execute(row).rowcount:
        txn.execute(insert(instance_types).values(**vars(kind), created_at=now(), **gone))


def purge(txn: Connection, name: str) -> None:
    """
    Forget a size, also one that was deleted; of Bexar's five, that there ever was another one.

    @raise NotFound: there is none.
    """
    if not txn.execute(delete(instance_types).where(instance_types.c.name == name)).rowcount:
        raise NotFound("Valid instance type name is required")
