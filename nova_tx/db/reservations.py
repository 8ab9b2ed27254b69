"""
Reservations: the rows of new instances, within the project's quota.   [spec/01 section 6.1]
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from nova_tx import block_devices, states
from nova_tx.context import RequestContext
from nova_tx.db import (
    client_tokens,
    instance_details,
    instance_types,
    key_pairs,
    quotas,
    replays,
    security_groups,
    services,
    tags,
)
from nova_tx.db.schema import instances, security_group_instance_association
from nova_tx.errors import QuotaExceeded, TokenOver, ZoneNotFound
from nova_tx.flags import QuotaFlags
from nova_tx.ids import instance_ec2_id, new_mac, new_reservation_id
from nova_tx.model.instances import (
    ClientToken,
    Instance,
    InstanceDetails,
    InstanceRequest,
    InstanceType,
)

# Made once: they take longer to make than to run.
_USED = select(func.count(), func.coalesce(func.sum(instances.c.vcpus), 0)).where(
    instances.c.project_id == bindparam("project"),
    instances.c.state_description.in_(states.LIVE),
)
_TAKEN = select(instances.c.mac_address).where(
    instances.c.mac_address.in_(bindparam("drawn", expanding=True)), instances.c.deleted.is_(False)
)
_ADD = insert(instances)
_NAME = (
    update(instances)
    .where(instances.c.id == bindparam("the_id"))
    .values(hostname=bindparam("name"), display_name=bindparam("display"))
)
_JOIN = insert(security_group_instance_association)


def reserve(
    txn: Connection,
    context: RequestContext,
    request: InstanceRequest,
    limits: QuotaFlags,
    now: datetime,
    listed_after: datetime = tags.EVER,
) -> tuple[InstanceDetails, ...]:
    """
    Make the rows of a reservation: as many as the quota allows, at least the least wanted.

    Two reservations of one project never count the same room twice: the
    second waits for the first at the default group's row.  [spec/01 section 6.1]

    A request with a client token that was used before gets what that one made.

    @param listed_after: instances that ended before are gone, and so are their tags.
    @raise InvalidInput, InvalidBlockDevices: there is no such type, or it has not such devices.
    @raise QuotaExceeded: there is not room for C{min_count}.
    @raise SecurityGroupNotFound, KeyPairNotFound, ZoneNotFound: no such thing.
    @raise TokenMismatch, TokenOver: the client token is another request's, or its instances
        have all been terminated.
    @raise TooSoon, Replayed: as L{replays.claim}, where there is no client token.
    """
    default_id = security_groups.hold_default(txn, context, now)
    reservation_id = new_reservation_id()
    token = request.client_token
    if token is None:
        replays.claim(txn, context, now)
    elif first := client_tokens.claim(txn, context.project, token, now, reservation_id):
        return _made(txn, context, token, first)
    names = tuple(dict.fromkeys(request.security_groups))
    groups = security_groups.ids(txn, context.project, names) if names else None
    groups = groups or {security_groups.DEFAULT: default_id}
    _check_zone(txn, context, request.availability_zone)
    key = key_pairs.get(txn, context.user or "", request.key_name) if request.key_name else None
    kind = instance_types.called(txn, request.instance_type)
    devices = block_devices.written(request.block_devices, kind.local_gb)
    count = _allowed(txn, context, request, kind, limits)
    key_data = key.public_key if key else None
    rows = _rows(txn, context, request, kind, devices, reservation_id, key_data, count, now)
    if request.tags:
        tags.forget(txn, listed_after)
        new = {instance_ec2_id(row.id): None for row in rows}
        tags.attach(txn, context.project, new, request.tags, now)
    txn.execute(
        _JOIN,
        [
            {
                "security_group_id": group_id,
                "instance_id": row.id,
                "created_at": now,
                "deleted": False,
            }
            for row in rows
            for group_id in groups.values()
        ],
    )
    return tuple(
        InstanceDetails(row, None, None, tuple(groups), None, request.tags) for row in rows
    )


def earlier(
    txn: Connection, context: RequestContext, token: ClientToken, now: datetime
) -> tuple[InstanceDetails, ...]:
    """
    What the first request with a client token made; nothing if this is the first.

    @raise TokenMismatch, TokenOver: as L{reserve}.
    """
    found = client_tokens.find(txn, context.project, token, now)
    return _made(txn, context, token, found) if found else ()


def _made(
    txn: Connection, context: RequestContext, token: ClientToken, reservation_id: str
) -> tuple[InstanceDetails, ...]:
    """What was made by the first request with a token."""
    found = instance_details.of_reservation(txn, context, reservation_id)
    if all(each.instance.state_description == states.TERMINATED for each in found):
        raise TokenOver(
            f"What was launched with the client token '{token.text}' has been terminated"
        )
    return found


def _check_zone(txn: Connection, context: RequestContext, wanted: str | None) -> None:
    if wanted is None:
        return
    zone, colon, _ = wanted.partition(":")
    # zone:host pins to a host, which is the administrators' right       [spec/15 A21]
    known = any(name == zone and enabled for name, enabled in services.zones(txn))
    if not known or (colon and not context.is_admin):
        raise ZoneNotFound(f"The availability zone '{wanted}' does not exist")


def _allowed(
    txn: Connection,
    context: RequestContext,
    request: InstanceRequest,
    kind: InstanceType,
    flags: QuotaFlags,
) -> int:
    """How many of those wanted the project has room for.  [spec/01 section 6.1]"""
    number, cores = room(txn, context.project, flags)
    fitting = min(number, cores // kind.vcpus)
    if fitting < request.min_count:
        raise QuotaExceeded(
            f"Instance quota exceeded. You can only run {max(fitting, 0)} more instances of this"
            " type."
        )
    return min(request.max_count, fitting)


def room(txn: Connection, project: str | None, flags: QuotaFlags) -> tuple[int, int]:
    """Instances and virtual CPUs that a project may have besides those it has."""
    used, cores = txn.execute(_USED, {"project": project}).one()
    limits = quotas.limits(txn, project or "", flags)
    return limits.instances - used, limits.cores - int(cores)


def _rows(
    txn: Connection,
    context: RequestContext,
    request: InstanceRequest,
    kind: InstanceType,
    devices: str | None,
    reservation_id: str,
    key_data: str | None,
    count: int,
    now: datetime,
) -> list[Instance]:
    made = []
    for index, mac_address in enumerate(_new_macs(txn, count)):
        values: dict[str, Any] = {
            "reservation_id": reservation_id,
            "user_id": context.user,
            "project_id": context.project,
            "image_id": request.image_id,
            "kernel_id": request.kernel_id,
            "ramdisk_id": request.ramdisk_id,
            "launch_index": index,
            "key_name": request.key_name,
            "key_data": key_data,
            "state": states.POWER[states.SCHEDULING],
            "state_description": states.SCHEDULING,
            "reason": None,
            "instance_type": kind.name,
            "memory_mb": kind.memory_mb,
            "vcpus": kind.vcpus,
            "local_gb": kind.local_gb,
            "hostname": "",
            "host": None,
            "user_data": request.user_data,
            "mac_address": mac_address,
            "availability_zone": request.availability_zone,
            "display_name": "",
            "display_description": request.display_description or "",
            "locked": False,
            "created_at": now,
            "updated_at": None,
            "scheduled_at": None,
            "launched_at": None,
            "terminated_at": None,
            "deleted": False,
            "build_attempts": 0,
            "disable_api_termination": request.disable_api_termination,
            "shutdown_behavior": request.shutdown_behavior,
            "block_devices": devices,
            "client_token": request.client_token.text if request.client_token else None,
            "architecture": request.architecture,
        }
        key = txn.execute(_ADD, values).inserted_primary_key
        assert key is not None
        values.update(  # what follows from the id
            id=key[0],
            hostname=instance_ec2_id(key[0]),
            display_name=request.display_name or f"Server {key[0]}",
        )
        made.append(Instance(**values))
    txn.execute(
        _NAME,
        [{"the_id": row.id, "name": row.hostname, "display": row.display_name} for row in made],
    )
    return made


def _new_macs(txn: Connection, count: int) -> set[str]:
    """Hardware addresses that no instance has."""
    macs: set[str] = set()
    while len(macs) < count:
        drawn = {new_mac() for _ in range(count - len(macs))}
        macs |= drawn - set(txn.scalars(_TAKEN, {"drawn": tuple(drawn)}))
    return macs
