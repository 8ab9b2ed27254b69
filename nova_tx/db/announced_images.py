"""Images whose files compute hosts bring: made of the disks of instances."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from nova_tx.context import RequestContext
from nova_tx.db import tags
from nova_tx.db.engine import now
from nova_tx.db.images import ANNOUNCED, FAILED, PENDING, add, check_name
from nova_tx.db.schema import images, instances
from nova_tx.model.images import AwaitedImage, ImageSource


def announce(
    txn: Connection,
    context: RequestContext,
    image_id: str,
    source: ImageSource,
    name: str,
    description: str | None,
) -> None:
    """
    Write the row of an image whose file is still to come, and its tags.

    @raise DuplicateImageName: see L{check_name}.
    @raise Duplicate: the id is taken.
    """
    owner = str(context.project)
    check_name(txn, owner, str(context.user), name)
    add(
        txn,
        image_id,
        location=f"{owner}/{name}"[:255],
        owner=owner,
        user_id=str(context.user),
        architecture=source.architecture,
        type="machine",
        kernel_id=source.kernel_id,
        ramdisk_id=source.ramdisk_id,
        display_name=name,
        description=description,
        instance_id=source.instance_id,
    )
    tags.attach(txn, owner, {image_id: None}, dict(source.tags), now())


def awaited(txn: Connection, host: str | None = None) -> tuple[AwaitedImage, ...]:
    """The images whose files are still to come, the oldest first; from one host, if it is given."""
    query = (
        select(
            images.c.id,
            images.c.instance_id,
            instances.c.host,
            images.c.user_id,
            images.c.owner,
            images.c.created_at,
        )
        .outerjoin(instances, instances.c.id == images.c.instance_id)
        .where(images.c.state == PENDING, images.c.deleted.is_(False), ANNOUNCED)
        .order_by(images.c.created_at, images.c.id)
    )
    if host is not None:
        query = query.where(instances.c.host == host)
    return tuple(AwaitedImage(*row) for row in txn.execute(query))


def abandon(txn: Connection, image_id: str, reason: str) -> bool:
    """Say that an image will not come, and why; returns whether it was still to come."""
    done = txn.execute(
        update(images)
        .where(
            images.c.id == image_id,
            images.c.state == PENDING,
            images.c.deleted.is_(False),
            ANNOUNCED,
        )
        .values(state=FAILED, state_reason=reason, updated_at=now())
    )
    return done.rowcount == 1
