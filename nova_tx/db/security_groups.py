"""Security groups: named sets of rules of a project.                [spec/02 section 6]"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from nova_tx.context import RequestContext
from nova_tx.db.schema import security_group_rules, security_groups
from nova_tx.errors import SecurityGroupNotFound
from nova_tx.model.access import SecurityGroup, SecurityGroupRule

#: The group of instances that name none; every project has it from its first use on.
DEFAULT = "default"

_DEFAULT_GROUP = (
    select(security_groups.c.id)
    .where(security_groups.c.project_id == bindparam("project"), security_groups.c.name == DEFAULT)
    .with_for_update()
)


def hold_default(txn: Connection, context: RequestContext, now: datetime) -> int:
    """
    The id of the project's default group, made if it is not there yet.

    Its row stays locked until the transaction ends: those who must not decide
    at the same time for one project (quotas) queue up here.  [spec/15 B28]
    """
    wanted = {"project": context.project}
    found = txn.scalar(_DEFAULT_GROUP, wanted)
    if found is None:
        try:
            with txn.begin_nested():
                txn.execute(
                    insert(security_groups).values(
                        name=DEFAULT,
                        description=DEFAULT,
                        user_id=context.user or "",
                        project_id=context.project,
                        created_at=now,
                        deleted=False,
                    )
                )
        except IntegrityError:
            pass  # somebody else made it in this moment
        found = txn.scalar(_DEFAULT_GROUP, wanted)
    assert found is not None
    return int(found)


def ids(txn: Connection, project_id: str | None, names: tuple[str, ...]) -> dict[str, int]:
    """
    The ids of a project's groups by name.

    @raise SecurityGroupNotFound: the project has none of one of the names.
    """
    rows = txn.execute(
        select(security_groups.c.name, security_groups.c.id).where(
            security_groups.c.project_id == project_id, security_groups.c.name.in_(names)
        )
    )
    found = {row.name: int(row.id) for row in rows}
    _require(names, found)
    return {name: found[name] for name in names}


def listed(
    txn: Connection, context: RequestContext, names: tuple[str, ...] = ()
) -> tuple[SecurityGroup, ...]:
    """
    The groups of the caller's project with their rules, in two queries; an
    administrator's are those of all projects.  Of these names only, if any are given.

    @raise SecurityGroupNotFound: there is none of one of the names.
    """
    chosen = select(security_groups)
    if not context.is_admin:
        chosen = chosen.where(security_groups.c.project_id == context.project)
    if names:
        chosen = chosen.where(security_groups.c.name.in_(names))
    rows = txn.execute(chosen.order_by(security_groups.c.id)).all()
    _require(names, {row.name for row in rows})
    rules = _rules(txn, chosen.with_only_columns(security_groups.c.id))
    return tuple(
        SecurityGroup(
            id=row.id,
            project_id=row.project_id,
            user_id=row.user_id,
            name=row.name,
            description=row.description,
            rules=tuple(rules[row.id]),
        )
        for row in rows
    )


def _rules(txn: Connection, group_ids: object) -> dict[int, list[SecurityGroupRule]]:
    source = security_groups.alias("source")
    found: dict[int, list[SecurityGroupRule]] = defaultdict(list)
    rows = txn.execute(
        select(
            security_group_rules,
            source.c.name.label("group_name"),
            source.c.project_id.label("group_project"),
        )
        .select_from(
            security_group_rules.outerjoin(source, source.c.id == security_group_rules.c.group_id)
        )
        .where(
            security_group_rules.c.parent_group_id.in_(group_ids),  # type: ignore[arg-type]
            security_group_rules.c.deleted.is_(False),
        )
        .order_by(security_group_rules.c.id)
    )
    for row in rows:
        found[row.parent_group_id].append(
            SecurityGroupRule(
                protocol=row.protocol,
                from_port=row.from_port,
                to_port=row.to_port,
                cidr=row.cidr,
                group_name=row.group_name,
                group_project=row.group_project,
            )
        )
    return found


def _require(names: tuple[str, ...], found: object) -> None:
    for name in names:
        if name not in found:  # type: ignore[operator]
            raise SecurityGroupNotFound(f"The security group '{name}' does not exist")
