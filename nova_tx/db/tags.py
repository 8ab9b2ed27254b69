"""
Tags: what a project notes on resources, its own and those it may use.  [AWS API, "CreateTags"]

The tags of an instance end when it does: from then on they are listed as long
as it is, and the next who writes tags removes them. Those of an image that another
registry is told to remove end before, and are removed when it has.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import security_groups
from nova_tx.db.schema import instances, key_pairs, tags, volumes
from nova_tx.errors import (
    AddressNotFound,
    ImageNotFound,
    InstanceNotFound,
    KeyPairNotFound,
    MalformedId,
    NotFound,
    SecurityGroupNotFound,
    SnapshotNotFound,
    TooManyTags,
    VolumeNotFound,
)
from nova_tx.ids import number_in
from nova_tx.model.instances import Tag

#: Tags that a resource may have, of one project.
MOST = 50

#: Before any instance ended.
EVER = datetime(1970, 1, 1)

#: Numbers of resources that are there for the caller; with each when it ended, if it did.
Rows = Callable[[Connection, RequestContext, Sequence[int], datetime], dict[int, datetime | None]]


@dataclass(frozen=True)
class Kind:
    """
    A kind of resource.

    @ivar name: what AWS calls it.
    @ivar missing: the error that says that one is not there.
    @ivar rows: finds those that are there; None: not in this database, or none is yet.
    """

    name: str
    missing: type[NotFound]
    rows: Rows | None = None


_ENDED = instances.c.state_description == states.TERMINATED
# Made once: they take longer to make than to run.
_INSTANCES = select(instances.c.id, _ENDED, instances.c.deleted_at).where(
    instances.c.id.in_(bindparam("numbers", expanding=True)),
    or_(~_ENDED, instances.c.deleted_at > bindparam("after")),
)
_OWN_INSTANCES = _INSTANCES.where(instances.c.project_id == bindparam("project"))
_ON = and_(
    tags.c.project_id == bindparam("project"),
    tags.c.resource_id.in_(bindparam("ids", expanding=True)),
)
_REPLACED = delete(tags).where(_ON, tags.c.key.in_(bindparam("keys", expanding=True)))
_COUNTED = select(tags.c.resource_id, func.count()).where(_ON).group_by(tags.c.resource_id)
_ADD = insert(tags)
_GONE = delete(tags).where(tags.c.deleted_at <= bindparam("after"))


def _instances(
    txn: Connection, context: RequestContext, numbers: Sequence[int], listed_after: datetime
) -> dict[int, datetime | None]:
    query = _INSTANCES if context.is_admin else _OWN_INSTANCES
    values = {"numbers": list(numbers), "project": context.project, "after": listed_after}
    rows = txn.execute(query, values)
    return {number: when if gone else None for number, gone, when in rows}


def _owned(table: Table, owner: str) -> Rows:
    """Those of a table that are not deleted, and the caller's by C{user_id} or C{project_id}."""

    def rows(
        txn: Connection, context: RequestContext, numbers: Sequence[int], listed_after: datetime
    ) -> dict[int, datetime | None]:
        mine = context.user if owner == "user_id" else context.project
        found = select(table.c.id).where(
            table.c.id.in_(numbers), table.c[owner] == mine, table.c.deleted.is_(False)
        )
        return dict.fromkeys(txn.scalars(found))

    return rows


_IMAGE = Kind("image", ImageNotFound)

#: Each kind by what the ids of its resources begin with.
KINDS = {
    "i": Kind("instance", InstanceNotFound, _instances),
    "ami": _IMAGE,
    "aki": _IMAGE,
    "ari": _IMAGE,
    "key": Kind("key-pair", KeyPairNotFound, _owned(key_pairs, "user_id")),
    "vol": Kind("volume", VolumeNotFound, _owned(volumes, "project_id")),
    "snap": Kind("snapshot", SnapshotNotFound),
    "sg": Kind("security-group", SecurityGroupNotFound),
    "eipalloc": Kind("elastic-ip", AddressNotFound),
}


def kind(resource_id: str) -> Kind:
    """
    The kind of a resource, by its id.

    @raise MalformedId: no resource has such an id.
    """
    prefix, _, rest = resource_id.partition("-")
    found = KINDS.get(prefix)
    if found is None or not rest or (found.rows and number_in(resource_id) is None):
        raise MalformedId(f"The ID '{resource_id}' is not valid")
    return found


# Writing.


def create(
    txn: Connection,
    context: RequestContext,
    ids: Collection[str],
    given: Mapping[str, str],
    images: Collection[str],
    listed_after: datetime,
    now: datetime,
) -> None:
    """
    Tag resources, all or none; a tag that is there already gets the new value.

    Two that tag for one project do so one after the other, or both might find room.

    @param images: those of the ids that are images which the caller may see.
    @param listed_after: instances that ended before are gone.
    @raise NotFound: one is not there, by the error of its kind.
    @raise TooManyTags: one would have more than L{MOST}.
    """
    security_groups.hold_default(txn, context, now)
    ends = _ends(txn, context, ids, images, listed_after)
    forget(txn, listed_after)
    those = {"project": context.project, "ids": list(ids)}
    txn.execute(_REPLACED, {**those, "keys": list(given)})
    there = {resource_id: number for resource_id, number in txn.execute(_COUNTED, those)}
    for resource_id in ids:
        if there.get(resource_id, 0) + len(given) > MOST:
            raise TooManyTags(f"{resource_id} would have more than {MOST} tags")
    attach(txn, context.project, ends, given, now)


def attach(
    txn: Connection,
    project: str | None,
    ends: Mapping[str, datetime | None],
    given: Mapping[str, str],
    now: datetime,
) -> None:
    """
    Write tags that their resources do not have yet, such as those of new ones.

    @param ends: the resources, with when each ended if it did.
    """
    rows = [
        {
            "project_id": project,
            "resource_id": resource_id,
            "key": key,
            "resource_type": kind(resource_id).name,
            "value": value,
            "created_at": now,
            "deleted_at": end,
            "deleted": end is not None,
        }
        for resource_id, end in ends.items()
        for key, value in given.items()
    ]
    if rows:
        txn.execute(_ADD, rows)


def remove(
    txn: Connection,
    context: RequestContext,
    ids: Collection[str],
    keys: Iterable[tuple[str, str | None]],
    images: Collection[str],
    listed_after: datetime,
) -> None:
    """
    Take tags off resources; one that is not there is no error.

    @param keys: each with the value that it must have, None for any; all tags if there are none.
    @param images, listed_after: as for L{create}.
    @raise NotFound: a resource is not there, by the error of its kind.
    """
    _ends(txn, context, ids, images, listed_after)
    mine = and_(tags.c.project_id == context.project, tags.c.resource_id.in_(ids))
    wanted = dict.fromkeys(keys)
    if not wanted:
        txn.execute(delete(tags).where(mine))
        return
    for key, value in wanted:
        that = mine if value is None else and_(mine, tags.c.value == value)
        txn.execute(delete(tags).where(that, tags.c.key == key))


def forget(txn: Connection, listed_after: datetime) -> None:
    """Remove the tags of what has gone from lists; who writes tags does so, too."""
    txn.execute(_GONE, {"after": listed_after})


def drop(txn: Connection, resource_id: str) -> None:
    """A resource is gone: so are its tags, every project's."""
    txn.execute(delete(tags).where(tags.c.resource_id == resource_id))


def end(txn: Connection, resource_id: str, when: datetime) -> None:
    """A resource ended: so do its tags, every project's."""
    ended = update(tags).where(tags.c.resource_id == resource_id)
    txn.execute(ended.values(deleted=True, deleted_at=when))


def go_on(txn: Connection, resource_id: str) -> None:
    """A resource did not end: nor do its tags."""
    begun = update(tags).where(tags.c.resource_id == resource_id)
    txn.execute(begun.values(deleted=False, deleted_at=None))


def _ends(
    txn: Connection,
    context: RequestContext,
    ids: Iterable[str],
    images: Collection[str],
    listed_after: datetime,
) -> dict[str, datetime | None]:
    """When each of these resources ended; None for what is there still."""
    of_kind: dict[str, dict[int, str]] = defaultdict(dict)
    for resource_id in ids:
        of_kind[kind(resource_id).name][number_in(resource_id) or 0] = resource_id
    found: dict[str, datetime | None] = dict.fromkeys(images)
    for each in KINDS.values():
        named = of_kind.get(each.name)
        if named and each.rows:
            rows = each.rows(txn, context, list(named), listed_after)
            found.update({named[number]: when for number, when in rows.items()})
    for resource_id in ids:
        if resource_id not in found:
            raise kind(resource_id).missing(f"The ID '{resource_id}' does not exist")
    return {resource_id: found[resource_id] for resource_id in ids}


# Reading.


def listed(
    txn: Connection, project: str | None, listed_after: datetime, ids: Collection[str] = ()
) -> tuple[Tag, ...]:
    """The tags that a project gave; of these resources only, if any are given."""
    query = select(*(tags.c[field.name] for field in fields(Tag))).where(
        tags.c.project_id == project, _there(listed_after)
    )
    if ids:
        query = query.where(tags.c.resource_id.in_(ids))
    return tuple(Tag(*row) for row in txn.execute(query))


def of(
    txn: Connection, project: str | None, resource_type: str, listed_after: datetime
) -> dict[str, dict[str, str]]:
    """The tags that a project gave to all resources of a type, by their ids, in one query."""
    values = {"project": project, "type": resource_type, "after": listed_after}
    return by_resource(txn.execute(statement(False), values))


@functools.cache
def statement(some: bool) -> Select[Any]:
    """
    Id, key and value of a C{project}'s tags on resources of a C{type}, C{after} a time; made once.

    @param some: only those of C{resources}, a list of ids.
    """
    query = select(tags.c.resource_id, tags.c.key, tags.c.value).where(
        tags.c.project_id == bindparam("project"),
        tags.c.resource_type == bindparam("type"),
        _there(bindparam("after")),
    )
    if some:
        query = query.where(tags.c.resource_id.in_(bindparam("resources", expanding=True)))
    return query.order_by(tags.c.key)


def by_resource(rows: Iterable[Any]) -> dict[str, dict[str, str]]:
    """What L{statement} found."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for resource_id, key, value in rows:
        found[resource_id][key] = value
    return found


def _there(listed_after: Any) -> Any:
    return or_(tags.c.deleted_at.is_(None), tags.c.deleted_at > listed_after)
