"""Compute hosts as the scheduler weighs them."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from nova_tx.db import services
from nova_tx.db.schema import instances
from nova_tx.model import Host
from nova_tx.states import LIVE


def live(txn: Connection, topic: str, down_time: int) -> tuple[Host, ...]:
    """
    Enabled hosts whose worker of C{topic} has reported within C{down_time} seconds.

    [spec/13 section 2]
    """
    used = {
        row.host: int(row.vcpus)
        for row in txn.execute(
            select(instances.c.host, func.sum(instances.c.vcpus).label("vcpus"))
            .where(instances.c.state_description.in_(LIVE), instances.c.host.is_not(None))
            .group_by(instances.c.host)
        )
    }
    return tuple(
        Host(service.host, service.availability_zone, used.get(service.host, 0))
        for service in services.up(txn, topic, down_time)
    )
