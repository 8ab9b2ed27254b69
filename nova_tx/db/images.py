"""The registry of images.                                             [spec/04 sections 3 and 5]"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update
from sqlalchemy import delete as delete_from
from sqlalchemy.exc import IntegrityError

from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import now
from nova_tx.db.schema import image_permissions as permissions
from nova_tx.db.schema import images
from nova_tx.db.security_groups import hold_default
from nova_tx.errors import Duplicate, DuplicateImageName, ForeignImage, ImageNotFound, WrongState
from nova_tx.model.images import ARCHITECTURES, Image, NewImage

# The states of an image: after C{PENDING} the next two of a bundle, or one or both of the two
# that follow of a plain file; C{UPLOADING} to where images are kept, if that is not here;
# C{FAILED} may follow any but C{AVAILABLE}.
PENDING = "pending"
DECRYPTING = "decrypting"
UNTARRING = "untarring"
COPYING = "copying"
CONVERTING = "converting"
UPLOADING = "uploading"
AVAILABLE = "available"
FAILED = "failed"

_ON_THE_WAY = (PENDING, DECRYPTING, UNTARRING, COPYING, CONVERTING, UPLOADING)
_FIELDS = tuple(name for name in Image.__dataclass_fields__ if name in images.c)
_COLUMNS = tuple(images.c[name] for name in _FIELDS)
#: An announced image: a compute host brings its file.
ANNOUNCED = images.c.instance_id.is_not(None)


def _image(row: Row[Any], projects: tuple[str, ...] = ()) -> Image:
    return Image(**row._mapping, launch_projects=projects)


def add(txn: Connection, /, image_id: str, **columns: object) -> None:
    """
    Write the row of a new, private image in state C{pending}.

    @raise Duplicate: the id is taken.
    """
    values = {"id": image_id, "is_public": False, "state": PENDING, "deleted": False, **columns}
    try:
        with txn.begin_nested():
            txn.execute(insert(images).values(created_at=now(), **values))
    except IntegrityError:
        raise Duplicate(f"there is an image {image_id} already") from None


def check_name(txn: Connection, owner: str, user_id: str, name: str) -> None:
    """
    No other image of a project has a name, until the transaction ends.

    One that failed gives its name free.

    @raise DuplicateImageName: one has it.
    """
    hold_default(txn, RequestContext(user_id, owner), now())
    taken = txn.scalar(
        select(images.c.id)
        .where(
            images.c.owner == owner,
            images.c.display_name == name,
            images.c.state != FAILED,
            images.c.deleted.is_(False),
        )
        .limit(1)
    )
    if taken is not None:
        raise DuplicateImageName(f"AMI name {name} is already in use by AMI {taken}")


def register(
    txn: Connection,
    image_id: str,
    owner: str,
    user_id: str,
    new: NewImage,
) -> Image:
    """
    Write the row of a new, private image in state C{pending}, and its tags.

    @raise DuplicateImageName: see L{check_name}.
    @raise Duplicate: the id is taken.
    """
    if new.name:
        check_name(txn, owner, user_id, new.name)
    add(
        txn,
        image_id,
        location=new.location,
        owner=owner,
        user_id=user_id,
        architecture=new.architecture or ARCHITECTURES[-1],
        type=new.type,
        kernel_id=new.kernel_id if new.type == "machine" else None,
        ramdisk_id=new.ramdisk_id if new.type == "machine" else None,
        display_name=new.name,
        description=new.description,
    )
    tags.attach(txn, owner, {image_id: None}, dict(new.tags), now())
    return _get(txn, image_id)


def listed(
    txn: Connection, project: str | None, is_admin: bool, ids: Collection[str] = ()
) -> tuple[Image, ...]:
    """
    The images that a project may see, by id; of these ids only, if any are given.

    In two queries, however many: those it may see are public, its own, or open to it.
    """
    query = select(*_COLUMNS).where(images.c.deleted.is_(False)).order_by(images.c.id)
    if not is_admin:
        open_to_it = select(permissions.c.image_id).where(permissions.c.project_id == project)
        query = query.where(
            or_(
                images.c.is_public.is_(True), images.c.owner == project, images.c.id.in_(open_to_it)
            )
        )
    if ids:
        query = query.where(images.c.id.in_(list(ids)))
    rows = txn.execute(query).all()
    launchers = _launchers(txn, project, is_admin, ids)
    return tuple(_image(row, tuple(launchers[row.id])) for row in rows)


def available(txn: Connection, ids: Collection[str]) -> frozenset[str]:
    """Those of some images that are there to be launched."""
    found = txn.execute(
        select(images.c.id).where(
            images.c.id.in_(list(ids)), images.c.state == AVAILABLE, images.c.deleted.is_(False)
        )
    )
    return frozenset(found.scalars())


def _launchers(
    txn: Connection, project: str | None, is_admin: bool, ids: Collection[str]
) -> dict[str, list[str]]:
    """Who may launch images: of one's own, everybody; of others', oneself."""
    query = select(permissions.c.image_id, permissions.c.project_id)
    if not is_admin:
        query = query.join(images).where(
            or_(images.c.owner == project, permissions.c.project_id == project)
        )
    if ids:
        query = query.where(permissions.c.image_id.in_(list(ids)))
    found: dict[str, list[str]] = defaultdict(list)
    for row in txn.execute(query.order_by(permissions.c.project_id)):
        found[row.image_id].append(row.project_id)
    return found


def get(txn: Connection, project: str | None, is_admin: bool, image_id: str) -> Image:
    """
    One image that a project may see.

    @raise ImageNotFound: there is none.
    """
    found = listed(txn, project, is_admin, (image_id,))
    if not found:
        raise ImageNotFound(f"The image id '{image_id}' does not exist")
    return found[0]


def owned(txn: Connection, project: str | None, is_admin: bool, image_id: str) -> Image:
    """
    One image that a project may change.

    @raise ImageNotFound: there is none that it may see.
    @raise ForeignImage: it is another project's.
    """
    image = get(txn, project, is_admin, image_id)
    if not is_admin and image.owner != project:
        raise ForeignImage(f"Not authorized for image:{image_id}")
    return image


def _get(txn: Connection, image_id: str) -> Image:
    return get(txn, None, True, image_id)


def advance(
    txn: Connection, /, image_id: str, source: str, target: str, **columns: object
) -> Image:
    """
    Move an image from one state to the next, and set columns with it.

    One that is available makes no progress any more.

    @raise WrongState: it is not (any more) in state C{source}; nothing was written.
    """
    if target == AVAILABLE:
        columns["progress"] = None
    done = txn.execute(
        update(images)
        .where(images.c.id == image_id, images.c.state == source, images.c.deleted.is_(False))
        .values(state=target, updated_at=now(), **columns)
    )
    if done.rowcount != 1:
        raise WrongState(f"image {image_id} is not {source}")
    return _get(txn, image_id)


def progressed(txn: Connection, image_id: str, percent: int) -> None:
    """Write down how far an image is, if it is still on its way."""
    txn.execute(
        update(images)
        .where(
            images.c.id == image_id,
            images.c.state.in_(_ON_THE_WAY),
            images.c.deleted.is_(False),
        )
        .values(progress=percent)
    )


def fail(txn: Connection, image_id: str, reason: str) -> bool:
    """
    Say that an image will not become available, and why, for its owner to read.

    Returns whether it was on its way; one that was deleted meanwhile is left alone.
    """
    done = txn.execute(
        update(images)
        .where(
            images.c.id == image_id,
            images.c.state.in_(_ON_THE_WAY),
            images.c.deleted.is_(False),
        )
        .values(state=FAILED, state_reason=reason, progress=None, updated_at=now())
    )
    return done.rowcount == 1


def delete(txn: Connection, project: str | None, is_admin: bool, image_id: str) -> Image:
    """
    Hide an image from everybody; returns what it was.

    The row stays until its files are gone, and somebody calls L{forget}.

    @raise ImageNotFound, ForeignImage: as L{owned}.
    """
    image = owned(txn, project, is_admin, image_id)
    txn.execute(
        update(images).where(images.c.id == image_id).values(deleted=True, deleted_at=now())
    )
    tags.drop(txn, image_id)
    return image


def deleted(txn: Connection) -> tuple[str, ...]:
    """The images that are hidden, and not forgotten yet."""
    found = txn.execute(select(images.c.id).where(images.c.deleted.is_(True)))
    return tuple(found.scalars())


def forget(txn: Connection, image_id: str) -> None:
    """Remove the row of an image that is hidden: for real, since the id is its primary key."""
    hidden = select(images.c.id).where(images.c.id == image_id, images.c.deleted.is_(True))
    txn.execute(delete_from(permissions).where(permissions.c.image_id.in_(hidden)))
    txn.execute(delete_from(images).where(images.c.id == image_id, images.c.deleted.is_(True)))


def unfinished(txn: Connection) -> tuple[tuple[Image, str], ...]:
    """
    The registered images that were on their way when a daemon ended, each with who did it.

    Those that were announced wait for who brings them, not for us.
    """
    rows = txn.execute(
        select(*_COLUMNS, images.c.user_id)
        .where(images.c.state.in_(_ON_THE_WAY), images.c.deleted.is_(False), ~ANNOUNCED)
        .order_by(images.c.created_at, images.c.id)
    ).all()
    return tuple(
        (Image(**{name: row._mapping[name] for name in _FIELDS}), row.user_id) for row in rows
    )


def again(txn: Connection, image_id: str) -> bool:
    """Put an image that is on its way (back) to the beginning; returns whether it was one."""
    done = txn.execute(
        update(images)
        .where(
            images.c.id == image_id,
            images.c.state.in_(_ON_THE_WAY),
            images.c.deleted.is_(False),
        )
        .values(state=PENDING, progress=None, updated_at=now())
    )
    return done.rowcount == 1
