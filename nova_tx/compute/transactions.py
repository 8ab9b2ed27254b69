"""The compute worker's transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from nova_tx import states
from nova_tx.db import instances, networks
from nova_tx.db.images import DECRYPTING, PENDING, UNTARRING
from nova_tx.db.schema import images
from nova_tx.db.schema import instances as table
from nova_tx.errors import InstanceNotFound
from nova_tx.model import Instance


def look_up(txn: Connection, instance_id: int) -> tuple[Instance, str | None]:
    """An instance, and the host that carries its network."""
    return instances.get(txn, instance_id), networks.host_for(txn, instance_id)


def begin(txn: Connection, instance_id: int, host: str) -> tuple[Instance, str | None]:
    """
    Begin to build, or go on with what was begun here: the same, after the move.

    Each time is counted, so that one that ends this daemon is not begun without end.

    @raise WrongState: it is neither to be built nor being built here.
    """
    instance = instances.get(txn, instance_id)
    attempts = instance.build_attempts + 1
    if instance.state_description != states.NETWORKING or instance.host != host:
        instance = instances.move(
            txn, instance_id, states.BUILD, host=host, build_attempts=attempts
        )
    else:
        instance = instances.count_attempts(txn, instance_id, attempts)
    return instance, networks.host_for(txn, instance_id)


def not_counted(txn: Connection, instance_id: int) -> None:
    """Take back what L{begin} counted last."""
    instance = instances.get(txn, instance_id)
    instances.count_attempts(txn, instance_id, max(0, instance.build_attempts - 1))


@dataclass(frozen=True)
class ImageWork:
    """
    An image that is to be made of an instance of this host.

    @ivar user_id: who asked for it.
    @ivar since: when it was last heard of.
    """

    image_id: str
    instance_id: int
    user_id: str
    project_id: str
    since: datetime


def of_host(txn: Connection, host: str) -> tuple[tuple[Instance, ...], tuple[ImageWork, ...]]:
    """The instances of a host that are not terminated, and the images to be made there."""
    return instances.on_host(txn, host), _images_to_make(txn, host)


def _images_to_make(txn: Connection, host: str) -> tuple[ImageWork, ...]:
    """The images that were announced of instances of a host, and are not there yet."""
    rows = txn.execute(
        select(
            images.c.id,
            images.c.instance_id,
            images.c.user_id,
            images.c.owner,
            func.coalesce(images.c.updated_at, images.c.created_at),
        )
        .join(table, table.c.id == images.c.instance_id)
        .where(_TO_MAKE, table.c.host == host)
        .order_by(images.c.created_at, images.c.id)
    )
    return tuple(ImageWork(*row) for row in rows)


_TO_MAKE = images.c.state.in_((PENDING, DECRYPTING, UNTARRING)) & images.c.deleted.is_(False)


def look_up_image(
    txn: Connection, instance_id: int, image_id: str
) -> tuple[Instance | None, str | None, bool]:
    """An instance, its network's host, and whether an image is (still) to be made of it."""
    query = select(images.c.id).where(
        _TO_MAKE, images.c.id == image_id, images.c.instance_id == instance_id
    )
    wanted = txn.execute(query).first() is not None
    try:
        return (*look_up(txn, instance_id), wanted)
    except InstanceNotFound:
        return None, None, wanted


def move(
    txn: Connection, instance_id: int, event: states.Move, columns: Mapping[str, object]
) -> Instance:
    """L{instances.move}, its columns as one argument."""
    return instances.move(txn, instance_id, event, **columns)


def ended(txn: Connection, ids: Iterable[int]) -> list[int]:
    """Those of some instances that are terminated, or were never there."""
    found = []
    for instance_id in ids:
        try:
            ended = instances.get(txn, instance_id).state_description == states.TERMINATED
        except InstanceNotFound:
            ended = True
        if ended:
            found.append(instance_id)
    return found
