"""
Workers' rows: who is there, and who was heard of lately.             [spec/01 section 2]
"""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from nova_tx.db.clock import utc_now
from nova_tx.db.schema import services
from nova_tx.errors import ServiceNotFound
from nova_tx.model.hosts import Service

_LISTED = select(services, utc_now().label("now")).order_by(services.c.id)


def report(txn: Connection, host: str, binary: str, topic: str, zone: str, enabled: bool) -> None:
    """
    A sign of life: make the worker's row, or count one heartbeat up in it.

    Whether it is enabled, and its zone, are the operator's once the row is there.
    """
    if _beat(txn, host, binary):
        return
    row = insert(services).values(
        host=host,
        binary=binary,
        topic=topic,
        availability_zone=zone,
        disabled=not enabled,
        report_count=0,
        created_at=utc_now(),
        updated_at=utc_now(),
    )
    try:
        with txn.begin_nested():
            txn.execute(row)
    except IntegrityError:  # its twin was quicker
        _beat(txn, host, binary)


def _beat(txn: Connection, host: str, binary: str) -> bool:
    found = txn.execute(
        update(services)
        .where(services.c.host == host, services.c.binary == binary)
        .values(report_count=services.c.report_count + 1, updated_at=utc_now())
    )
    return found.rowcount == 1


def listed(txn: Connection) -> tuple[Service, ...]:
    """Every worker's row, oldest first."""
    rows = txn.execute(_LISTED)
    return tuple(
        Service(
            id=row.id,
            host=row.host,
            binary=row.binary,
            topic=row.topic,
            report_count=row.report_count,
            disabled=row.disabled,
            availability_zone=row.availability_zone,
            created_at=row.created_at,
            updated_at=row.updated_at,
            age=(row.now - (row.updated_at or row.created_at)).total_seconds(),
        )
        for row in rows
    )


def up(txn: Connection, topic: str, down_time: float) -> tuple[Service, ...]:
    """Enabled workers of a topic that were heard of less than C{down_time} seconds ago."""
    return tuple(
        service
        for service in listed(txn)
        if service.topic == topic and not service.disabled and service.age < down_time
    )


def zones(txn: Connection) -> tuple[tuple[str, bool], ...]:
    """Availability zones by name, each with whether a service in it is enabled."""
    enabled: dict[str, bool] = {}
    for service in listed(txn):
        zone = service.availability_zone
        enabled[zone] = enabled.get(zone, False) or not service.disabled
    return tuple(sorted(enabled.items()))


def set_disabled(txn: Connection, host: str, binary: str, disabled: bool) -> None:
    """
    Say whether a worker is given new work; it stays as alive as it was.

    @raise ServiceNotFound: there is none.
    """
    found = txn.execute(
        update(services)
        .where(services.c.host == host, services.c.binary == binary)
        .values(disabled=disabled)
    )
    if found.rowcount == 0:
        raise ServiceNotFound(f"no service {binary} on host {host}")


def remove(txn: Connection, host: str, binary: str) -> None:
    """
    Take a worker's row away.

    @raise ServiceNotFound: there is none.
    """
    gone = txn.execute(delete(services).where(services.c.host == host, services.c.binary == binary))
    if gone.rowcount == 0:
        raise ServiceNotFound(f"no service {binary} on host {host}")
