"""The whole cloud in numbers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, func, select

from nova_tx.db import hosts
from nova_tx.db.schema import fixed_ips, floating_ips, images, instances, networks, projects, users


@dataclass(frozen=True)
class Counts:
    """
    How many there are of what.

    @ivar instances: by state.
    @ivar images: by state.
    @ivar loads: instances by host.
    @ivar fixed: addresses that guests can have, and those of them that they have.
    @ivar floating: floating addresses, and those of them that projects have.
    """

    users: int
    projects: int
    networks: int
    instances: dict[str, int]
    images: dict[str, int]
    loads: dict[str, int]
    fixed: tuple[int, int]
    floating: tuple[int, int]


def count(txn: Connection) -> Counts:
    """All of it, in one look."""

    def number(table: Table, *where: ColumnElement[bool]) -> int:
        return int(txn.scalar(select(func.count()).select_from(table).where(*where)) or 0)

    def by(column: ColumnElement[str]) -> dict[str, int]:
        rows = txn.execute(select(column, func.count()).group_by(column).order_by(column))
        return {state: int(many) for state, many in rows}

    loads, _ = hosts.loads(txn)
    guests = number(fixed_ips, fixed_ips.c.reserved.is_(False))
    return Counts(
        number(users),
        number(projects),
        number(networks),
        by(instances.c.state_description),
        by(images.c.state),
        loads,
        (guests, number(fixed_ips, fixed_ips.c.instance_id.is_not(None))),
        (number(floating_ips), number(floating_ips, floating_ips.c.project_id.is_not(None))),
    )
