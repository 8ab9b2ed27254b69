"""Hosts: as the scheduler weighs them, and as administrators see them."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from nova_tx.db import services
from nova_tx.db.schema import instances, volumes
from nova_tx.model.hosts import Host
from nova_tx.states import LIVE

_USED = (
    select(instances.c.host, func.sum(instances.c.vcpus).label("vcpus"))
    .where(instances.c.state_description.in_(LIVE), instances.c.host.is_not(None))
    .group_by(instances.c.host)
)


def live(txn: Connection, topic: str, down_time: int) -> tuple[Host, ...]:
    """
    Enabled hosts whose worker of C{topic} has reported within C{down_time} seconds.

    [spec/13 section 2]
    """
    used = {row.host: int(row.vcpus) for row in txn.execute(_USED)}
    return tuple(
        Host(service.host, service.availability_zone, used.get(service.host, 0))
        for service in services.up(txn, topic, down_time)
    )


def loads(txn: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """How many instances and how many volumes hosts have, by the host's name."""
    counted = (
        (instances.c.host, instances.c.state_description.in_(LIVE)),
        (volumes.c.host, volumes.c.deleted.is_(False)),
    )
    of_instances, of_volumes = (
        {
            row.host: int(row.number)
            for row in txn.execute(
                select(host, func.count().label("number"))
                .where(host.is_not(None), there)
                .group_by(host)
            )
        }
        for host, there in counted
    )
    return of_instances, of_volumes
