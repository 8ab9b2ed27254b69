"""
Instances: their rows, and the moves from state to state.              [spec/12; spec/07 section 2]

The state is the truth: a row that is C{terminated} is also marked deleted, and
nothing here asks for that mark.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    insert,
    select,
    true,
    update,
)

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import now as current_time
from nova_tx.db.schema import (
    instance_actions,
    instances,
)
from nova_tx.errors import (
    Conflict,
    InstanceNotFound,
    WrongState,
)
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import Instance
from nova_tx.states import Move

_COLUMNS = tuple(instances.c[field.name] for field in fields(Instance))

# Made once: they take longer to make than to run.
_ONE = select(*_COLUMNS).where(instances.c.id == bindparam("the_id"))
_MOVE = update(instances).where(
    instances.c.id == bindparam("the_id"),
    instances.c.state_description.in_(bindparam("sources", expanding=True)),
)


def _instance(row: Sequence[Any]) -> Instance:
    return Instance(*row[: len(_COLUMNS)])


# One instance.


def get(txn: Connection, instance_id: int) -> Instance:
    """
    One instance, whatever its state.

    @raise InstanceNotFound: there is no such row.
    """
    row = txn.execute(_ONE, {"the_id": instance_id}).first()
    if row is None:
        raise not_found(instance_id)
    return _instance(row)


def not_found(instance_id: int) -> InstanceNotFound:
    """The error that says so of an instance."""
    return InstanceNotFound(f"Instance {instance_ec2_id(instance_id)} not found")


def move(txn: Connection, instance_id: int, event: Move, **columns: object) -> Instance:
    """
    Compare and set: bring an instance from one of the event's states to its target.

    With the move to C{terminated} the row is marked deleted.

    @param columns: what else to write.
    @raise WrongState: it is in none of these states; nothing was written.
    @raise InstanceNotFound: there is no such row.
    """
    now = current_time()
    values: dict[str, object] = {
        "the_id": instance_id,
        "sources": event.sources,
        "state_description": event.target,
        "state": states.POWER[event.target],
        "updated_at": now,
    }
    if event.target == states.TERMINATED:
        values.update(deleted_at=now, deleted=True)
        tags.end(txn, instance_ec2_id(instance_id), now)
    values.update(columns)
    written = txn.execute(_MOVE, values).rowcount
    found = get(txn, instance_id)
    if not written:
        raise WrongState(
            f"Instance {instance_ec2_id(instance_id)} is {found.state_description}, "
            f"and can't become {event.target}"
        )
    return found


def fail(txn: Connection, instance_id: int, reason: str) -> Instance:
    """
    An instance could not be built or kept: C{error}, with the reason.

    @param reason: one sentence for its owner.
    @raise WrongState, InstanceNotFound: as L{move}.
    """
    failed = move(txn, instance_id, states.FAIL, reason=reason)
    txn.execute(
        insert(instance_actions).values(
            instance_id=instance_id,
            action="fail",
            error=reason,
            created_at=failed.updated_at,
            deleted=False,
        )
    )
    return failed


def reset(txn: Connection, instance_id: int, state: str) -> Instance:
    """
    Write another state, whatever it is in: for an operator who knows better than the row.

    The compute host finds out by itself if its guest is not as the row says.

    @raise InstanceNotFound: there is no such row.
    @raise WrongState: it has ended.
    """
    found = get(txn, instance_id)
    if found.state_description == states.TERMINATED:
        raise WrongState(f"Instance {instance_ec2_id(instance_id)} is terminated, and stays so")
    txn.execute(
        update(instances)
        .where(instances.c.id == instance_id)
        .values(state_description=state, state=states.POWER[state], updated_at=current_time())
    )
    return get(txn, instance_id)


def count_attempts(txn: Connection, instance_id: int, attempts: int) -> Instance:
    """
    Write how often an instance was begun.

    @raise InstanceNotFound: there is no such row.
    """
    where = instances.c.id == instance_id
    txn.execute(update(instances).where(where).values(build_attempts=attempts))
    return get(txn, instance_id)


# Several.


def on_host(txn: Connection, host: str) -> tuple[Instance, ...]:
    """Every instance of a host that is not C{terminated}."""
    return _several(
        txn,
        select(*_COLUMNS).where(
            instances.c.host == host, instances.c.state_description != states.TERMINATED
        ),
    )


def waiting(txn: Connection, before: datetime) -> tuple[Instance, ...]:
    """Instances from before a time that no host was chosen for: their message was lost."""
    return _several(
        txn,
        select(*_COLUMNS).where(
            instances.c.state_description == states.SCHEDULING,
            instances.c.host.is_(None),
            instances.c.created_at < before,
        ),
    )


def untold(txn: Connection) -> tuple[Instance, ...]:
    """Instances without a host: a scheduler may never have been told of them."""
    return _several(
        txn,
        select(*_COLUMNS).where(
            instances.c.state_description == states.SCHEDULING, instances.c.host.is_(None)
        ),
    )


def in_states(txn: Connection, wanted: Collection[str]) -> tuple[Instance, ...]:
    """Instances in some states, everybody's."""
    return _several(txn, select(*_COLUMNS).where(instances.c.state_description.in_(list(wanted))))


def held(txn: Connection, context: RequestContext, ids: Sequence[int]) -> list[Instance]:
    """
    The caller's instances of these ids, their rows locked in order of id.

    @raise InstanceNotFound: one is not there, or not the caller's.
    @raise Conflict: one is locked, and the caller no administrator.
    """
    query = select(*_COLUMNS).where(instances.c.id.in_(ids), _visible(context))
    rows = txn.execute(query.order_by(instances.c.id).with_for_update())
    found = {row.id: _instance(row) for row in rows}
    for instance_id in ids:
        if instance_id not in found:
            raise not_found(instance_id)
        if found[instance_id].locked and not context.is_admin:
            raise Conflict(f"Instance {instance_ec2_id(instance_id)} is locked")
    return [found[instance_id] for instance_id in dict.fromkeys(ids)]


def _several(txn: Connection, query: Select[Any]) -> tuple[Instance, ...]:
    return tuple(_instance(row) for row in txn.execute(query.order_by(instances.c.id)))


def _visible(context: RequestContext) -> Any:
    return true() if context.is_admin else instances.c.project_id == context.project
