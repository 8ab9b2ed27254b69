"""Attributes of instances that their owner may change."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, update

from nova_tx import states
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instance_types, reservations, security_groups
from nova_tx.db.engine import now as current_time
from nova_tx.db.instances import get, not_found
from nova_tx.db.schema import instances
from nova_tx.errors import Conflict, QuotaExceeded, WrongState
from nova_tx.flags import QuotaFlags
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import Instance

#: States in which what a guest is made of may change: it is made anew when it starts.
STOPPED = frozenset({states.SHUTDOWN})
#: States in which the rest may.
THERE = states.LIVE - {states.TERMINATING}


def change(
    txn: Connection,
    /,
    context: RequestContext,
    instance_id: int,
    sources: Collection[str],
    **columns: object,
) -> Instance:
    """
    Compare and set: write columns of an instance that is in one of C{sources}.

    @raise InstanceNotFound: it is not there, or not the caller's.
    @raise Conflict: it is locked, and the caller no administrator.
    @raise WrongState: it is in none of these states; nothing was written.
    """
    seen(txn, context, instance_id)
    written = txn.execute(
        update(instances)
        .where(instances.c.id == instance_id, instances.c.state_description.in_(sources))
        .values(updated_at=current_time(), **columns)
    ).rowcount
    found = get(txn, instance_id)
    if not written:
        wanted = " is not in the 'stopped' state" if sources == STOPPED else " has ended"
        raise WrongState(f"The instance '{instance_ec2_id(instance_id)}'{wanted}")
    return found


def resize(
    txn: Connection,
    context: RequestContext,
    instance_id: int,
    wanted: str,
    limits: QuotaFlags,
    now: datetime,
) -> Instance:
    """
    Give a stopped instance another size, within the quota of its project.

    @raise InstanceNotFound, Conflict, WrongState: as L{change}.
    @raise InvalidInput: there is no such size.
    @raise QuotaExceeded: the project has not room for as many virtual CPUs.
    """
    kind = instance_types.called(txn, wanted)
    owner = seen(txn, context, instance_id)
    security_groups.hold_default(txn, admin_context(owner.user_id, owner.project_id), now)
    _, cores = reservations.room(txn, owner.project_id, limits)
    more = kind.vcpus - get(txn, instance_id).vcpus
    if more > max(cores, 0):
        raise QuotaExceeded(
            f"Quota of virtual CPUs exceeded. {kind.name} needs {more} more, and {max(cores, 0)}"
            " are left."
        )
    return change(
        txn,
        context,
        instance_id,
        STOPPED,
        instance_type=kind.name,
        memory_mb=kind.memory_mb,
        vcpus=kind.vcpus,
        local_gb=kind.local_gb,
    )


def seen(txn: Connection, context: RequestContext, instance_id: int) -> Instance:
    """
    An instance that the caller may change.

    @raise InstanceNotFound, Conflict: as L{change}.
    """
    found = get(txn, instance_id)
    if found.project_id != context.project and not context.is_admin:
        raise not_found(instance_id)
    if found.locked and not context.is_admin:
        raise Conflict(f"Instance {instance_ec2_id(instance_id)} is locked")
    return found
