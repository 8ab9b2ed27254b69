"""
How projects begin, change and end.                            [spec/09 sections 1 and 4]

Who is in them is L{nova_tx.db.users}' business.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, func, select, update

from nova_tx.db import networks as networks_of_projects
from nova_tx.db import users
from nova_tx.db.engine import now
from nova_tx.db.schema import (
    floating_ips,
    instances,
    networks,
    projects,
    security_group_instance_association,
    security_group_rules,
    security_groups,
    user_project_association,
    user_project_role_association,
    volumes,
)
from nova_tx.errors import InUse, UserNotFound
from nova_tx.model.users import Project
from nova_tx.states import TERMINATED


def create(
    txn: Connection,
    project_id: str,
    manager: str,
    description: str | None,
    members: Iterable[str] = (),
) -> Project:
    """
    Make a project; its manager becomes a member.

    @raise Duplicate: the name is taken.
    @raise UserNotFound: there is no such manager, or no such member.
    """
    _check(txn, manager, users.no_manager(manager))
    if txn.scalar(select(projects.c.id).where(projects.c.id == project_id)) is not None:
        raise users.project_exists(project_id)
    text = project_id if description is None else description
    row = {"id": project_id, "name": project_id, "description": text, "project_manager": manager}
    users.insert_new(txn, projects, users.project_exists(project_id), **row)
    joining = {manager, *members}
    for user_id in sorted(joining):
        _check(txn, user_id, users.no_member(user_id))
        users.join(txn, user_id, project_id)
    return Project(project_id, manager, text, frozenset(joining))


def modify(
    txn: Connection, project_id: str, manager: str | None, description: str | None
) -> Project:
    """
    Change what is not None; a new manager becomes a member, the old one stays one.

    @raise ProjectNotFound: there is none.
    @raise UserNotFound: there is no such manager.
    """
    before = users.project(txn, project_id)
    if manager is not None:
        _check(txn, manager, users.not_modified(manager))
        for user_id in (before.manager, manager):
            users.join(txn, user_id, project_id)
    given = {"project_manager": manager, "description": description}
    changes = {name: value for name, value in given.items() if value is not None}
    txn.execute(
        update(projects).where(projects.c.id == project_id).values(**changes, updated_at=now())
    )
    return users.project(txn, project_id)


def _check(txn: Connection, user_id: str, error: UserNotFound) -> None:
    """
    See that there is a user.

    @raise UserNotFound: C{error}, if there is none.
    """
    try:
        users.user(txn, user_id)
    except UserNotFound:
        raise error from None


def remove(txn: Connection, project_id: str) -> None:
    """
    Forget a project with its memberships and roles.

    @raise ProjectNotFound: there is none.
    """
    users.project(txn, project_id)
    for table in (user_project_role_association, user_project_association):
        txn.execute(delete(table).where(table.c.project_id == project_id))
    txn.execute(delete(projects).where(projects.c.id == project_id))


def possessions(txn: Connection, project_id: str) -> tuple[str, ...]:
    """What a project still has that costs something: C{("2 instances", "1 network")}."""
    counted = (
        ("instance", instances, instances.c.state_description != TERMINATED),
        ("volume", volumes, volumes.c.deleted.is_(False)),
        ("network", networks, networks.c.deleted.is_(False)),
        ("floating address", floating_ips, floating_ips.c.deleted.is_(False)),
    )
    found = []
    for noun, table, there in counted:
        count = txn.scalar(
            select(func.count()).select_from(table).where(table.c.project_id == project_id, there)
        )
        if count:
            plural = noun + ("es" if noun.endswith("s") else "s")
            found.append(f"{count} {noun if count == 1 else plural}")
    return tuple(found)


def scrub(txn: Connection, project_id: str) -> None:
    """
    Free a project's network, and delete its security groups.

    @raise ProjectNotFound: there is none.
    @raise InUse: it has instances, which are in them.
    """
    users.project(txn, project_id)
    left = [each for each in possessions(txn, project_id) if "instance" in each]
    if left:
        raise InUse(f"Project {project_id} still has {left[0]}")
    networks_of_projects.free(txn, project_id)
    its = select(security_groups.c.id).where(security_groups.c.project_id == project_id)
    for column in (
        security_group_rules.c.parent_group_id,
        security_group_rules.c.group_id,
        security_group_instance_association.c.security_group_id,
    ):
        txn.execute(delete(column.table).where(column.in_(its)))
    txn.execute(delete(security_groups).where(security_groups.c.project_id == project_id))
