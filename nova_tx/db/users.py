"""
Users, projects, memberships and roles.                        [spec/09 sections 1, 2, 4]

A user's secret goes in and comes out as it is kept: L{nova_tx.auth.sealing} has the key.
The rows are deleted for real: a name is free again after a deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from nova_tx.db import key_pairs, user_secrets
from nova_tx.db.engine import now
from nova_tx.db.schema import (
    lockouts,
    projects,
    user_project_association,
    user_project_role_association,
    user_role_association,
    users,
)
from nova_tx.errors import Duplicate, InUse, ProjectNotFound, UserNotFound
from nova_tx.model.users import Membership, Project, User

# The sentences of what can go wrong; drivers without tables use them, too.


def no_user(user_id: str) -> UserNotFound:
    """There is no such user."""
    return UserNotFound(f'User "{user_id}" not found')


def no_project(project_id: str) -> ProjectNotFound:
    """There is no such project."""
    return ProjectNotFound(f'Project "{project_id}" not found')


def no_access_key(access_key: str) -> UserNotFound:
    """Nobody has this access key."""
    return UserNotFound(f"No user found for access key {access_key}")


def no_manager(manager: str) -> UserNotFound:
    """The manager of a new project does not exist."""
    return UserNotFound(f"Project can't be created because manager {manager} doesn't exist")


def user_exists(user_id: str) -> Duplicate:
    """The user's name is taken."""
    return Duplicate(f"User {user_id} already exists")


def access_key_taken() -> Duplicate:
    """Another user has the access key."""
    return Duplicate("The access key belongs to another user")


def project_exists(project_id: str) -> Duplicate:
    """The project's name is taken."""
    return Duplicate(f"Project can't be created because project {project_id} already exists")


def not_modified(manager: str) -> UserNotFound:
    """The new manager of a project does not exist."""
    return UserNotFound(f"Project can't be modified because manager {manager} doesn't exist")


def no_member(user_id: str) -> UserNotFound:
    """A member of a new project does not exist."""
    return UserNotFound(f"Project can't be created because user {user_id} doesn't exist")


def is_manager(user_id: str, managed: Iterable[str]) -> InUse:
    """The user is needed as the manager of projects."""
    return InUse(f"User {user_id} manages project {', '.join(sorted(managed))}")


# Reading.


def find(txn: Connection, access_key: str, project_id: str | None) -> Membership:
    """
    The user with an access key in a project: three queries, however many roles it has.

    What is known of the key's wrong use comes with the first.

    @param project_id: None means the project named as the user.
    @raise UserNotFound, ProjectNotFound: no such access key, no such project.
    """
    rows = txn.execute(_WITH_KEY, {"wanted": access_key}).all()
    if not rows or rows[0].access_key != access_key:  # MySQL ignores blanks at the end
        raise no_access_key(access_key)
    (who,) = _each(rows)
    found = _membership(txn, who, who.id if project_id is None else project_id)
    return replace(found, failures=rows[0].failures or 0, locked_until=rows[0].locked_until)


def member(txn: Connection, user_id: str, project_id: str) -> Membership:
    """
    A user in a project.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    return _membership(txn, user(txn, user_id), project_id)


def listed(txn: Connection) -> tuple[User, ...]:
    """Every user, by id."""
    return _users(txn)


def user(txn: Connection, user_id: str) -> User:
    """
    One user.

    @raise UserNotFound: there is none.
    """
    found = _users(txn, _CALLED, user_id)
    if not found or found[0].id != user_id:
        raise no_user(user_id)
    return found[0]


def projects_listed(txn: Connection) -> tuple[Project, ...]:
    """Every project, by id."""
    return _projects(txn)


def project(txn: Connection, project_id: str) -> Project:
    """
    One project.

    @raise ProjectNotFound: there is none.
    """
    found = _projects(txn, _PROJECT, project_id)
    if not found or found[0].id != project_id:
        raise no_project(project_id)
    return found[0]


# Writing.


def create(txn: Connection, user_id: str, access_key: str, secret_key: str, is_admin: bool) -> User:
    """
    Make a user.

    @raise Duplicate: the name or the access key is taken.
    """
    if txn.scalar(select(users.c.id).where(users.c.id == user_id)) is not None:
        raise user_exists(user_id)
    if txn.scalar(select(users.c.id).where(users.c.access_key == access_key)) is not None:
        raise access_key_taken()
    row = {"id": user_id, "access_key": access_key, **user_secrets.columns(secret_key)}
    insert_new(txn, users, user_exists(user_id), **row, is_admin=is_admin)
    return User(user_id, access_key, secret_key, is_admin)


def modify(
    txn: Connection,
    user_id: str,
    access_key: str | None,
    secret_key: str | None,
    is_admin: bool | None,
) -> User:
    """
    Change what is not None.

    @raise UserNotFound: there is none.
    @raise Duplicate: another user has the access key.
    """
    given = {"access_key": access_key, "is_admin": is_admin}
    changes = {name: value for name, value in given.items() if value is not None}
    if secret_key is not None:
        changes.update(user_secrets.columns(secret_key))
    user(txn, user_id)
    try:
        txn.execute(update(users).where(users.c.id == user_id).values(**changes, updated_at=now()))
    except IntegrityError:
        raise access_key_taken() from None
    return user(txn, user_id)


def remove(txn: Connection, user_id: str) -> None:
    """
    Forget a user with the key pairs, memberships and roles it has.

    @raise UserNotFound: there is none.
    @raise InUse: the user manages a project.
    """
    user(txn, user_id)
    managed = txn.scalars(select(projects.c.id).where(projects.c.project_manager == user_id)).all()
    if managed:
        raise is_manager(user_id, managed)
    key_pairs.remove_all(txn, user_id)
    for table in (user_project_role_association, user_project_association, user_role_association):
        txn.execute(delete(table).where(table.c.user_id == user_id))
    txn.execute(delete(users).where(users.c.id == user_id))


def add_member(txn: Connection, user_id: str, project_id: str) -> None:
    """
    Make a user a member; again is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    member(txn, user_id, project_id)
    join(txn, user_id, project_id)


def join(txn: Connection, user_id: str, project_id: str) -> None:
    """Make a user a member, both being known to be there; again is nothing."""
    _add(txn, user_project_association, user_id=user_id, project_id=project_id)


def remove_member(txn: Connection, user_id: str, project_id: str) -> None:
    """
    End a membership and the roles in that project; none is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    @raise InUse: the user manages the project.
    """
    if member(txn, user_id, project_id).project.manager == user_id:
        raise is_manager(user_id, (project_id,))
    for table in (user_project_role_association, user_project_association):
        txn.execute(
            delete(table).where(table.c.user_id == user_id, table.c.project_id == project_id)
        )


def add_role(txn: Connection, user_id: str, role: str, project_id: str | None) -> None:
    """
    Grant a role, in the whole cloud if C{project_id} is None; again is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    if project_id is None:
        if role not in user(txn, user_id).roles:
            _add(txn, user_role_association, user_id=user_id, role=role)
    elif role not in member(txn, user_id, project_id).project_roles:
        row = {"user_id": user_id, "project_id": project_id, "role": role}
        _add(txn, user_project_role_association, **row)


def remove_role(txn: Connection, user_id: str, role: str, project_id: str | None) -> None:
    """
    Take a role back; none is nothing.

    @raise UserNotFound, ProjectNotFound: no such user, no such project.
    """
    user(txn, user_id)
    if project_id is None:
        table, where = user_role_association, []
    else:
        project(txn, project_id)
        table = user_project_role_association
        where = [table.c.project_id == project_id]
    txn.execute(delete(table).where(table.c.user_id == user_id, table.c.role == role, *where))


# Parts.


# Made once, for every request looks its user up.
_WANTED: BindParameter[str] = bindparam("wanted")
_USERS = (
    select(users.c.id, users.c.access_key, users.c.is_admin)
    .add_columns(user_secrets.STORED.label("secret_key"))
    .add_columns(user_role_association.c.role)
    .outerjoin(user_role_association, user_role_association.c.user_id == users.c.id)
    .order_by(users.c.id)
)
_WITH_KEY = (
    _USERS.add_columns(lockouts.c.failures, lockouts.c.locked_until)
    .outerjoin(lockouts, lockouts.c.access_key == users.c.access_key)
    .where(users.c.access_key == _WANTED)
)
_CALLED = _USERS.where(users.c.id == _WANTED)
_PROJECTS = (
    select(projects.c.id, projects.c.project_manager, projects.c.description)
    .add_columns(user_project_association.c.user_id)
    .outerjoin(user_project_association, user_project_association.c.project_id == projects.c.id)
    .order_by(projects.c.id)
)
_PROJECT = _PROJECTS.where(projects.c.id == _WANTED)
_HELD = select(user_project_role_association.c.role).where(
    user_project_role_association.c.user_id == bindparam("user"),
    user_project_role_association.c.project_id == bindparam("project"),
)


def _users(
    txn: Connection, query: Select[Any] = _USERS, wanted: str | None = None
) -> tuple[User, ...]:
    return _each(txn.execute(query, {"wanted": wanted}).all())


def _each(rows: Sequence[Row[Any]]) -> tuple[User, ...]:
    held: dict[str, set[str]] = {}
    for row in rows:
        held.setdefault(row.id, set()).update({row.role} - {None})
    return tuple(
        User(row.id, row.access_key, row.secret_key, bool(row.is_admin), frozenset(held[row.id]))
        for row in {row.id: row for row in rows}.values()
    )


def _projects(
    txn: Connection, query: Select[Any] = _PROJECTS, wanted: str | None = None
) -> tuple[Project, ...]:
    rows = txn.execute(query, {"wanted": wanted}).all()
    joined: dict[str, set[str]] = {}
    for row in rows:
        joined.setdefault(row.id, {row.project_manager}).update({row.user_id} - {None})
    return tuple(
        Project(row.id, row.project_manager, row.description or "", frozenset(joined[row.id]))
        for row in {row.id: row for row in rows}.values()
    )


def _membership(txn: Connection, who: User, project_id: str) -> Membership:
    where = project(txn, project_id)
    held = txn.scalars(_HELD, {"user": who.id, "project": project_id})
    return Membership(who, where, who.id in where.members, frozenset(held))


def insert_new(txn: Connection, table: Table, taken: Duplicate, **row: object) -> None:
    """Insert a row; whoever was faster since the last look wins."""
    try:
        txn.execute(insert(table).values(**row, created_at=now(), deleted=False))
    except IntegrityError:
        raise taken from None


def _add(txn: Connection, table: Table, **row: object) -> None:
    """Insert a row that may be there by now."""
    try:
        with txn.begin_nested():
            txn.execute(insert(table).values(**row, created_at=now(), deleted=False))
    except IntegrityError:
        pass
