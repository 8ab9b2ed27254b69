"""The compute worker's transactions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection

from nova_tx import states
from nova_tx.db import announced_images, images, instances, networks
from nova_tx.errors import InstanceNotFound
from nova_tx.model.images import AwaitedImage
from nova_tx.model.instances import Instance

_RESCUE = (states.RESCUING, states.RESCUED, states.UNRESCUING)


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


def of_host(txn: Connection, host: str) -> tuple[tuple[Instance, ...], tuple[AwaitedImage, ...]]:
    """The instances of a host that are not terminated, and the images to be made there."""
    return instances.on_host(txn, host), announced_images.awaited(txn, host)


def unneeded(txn: Connection, host: str, ids: Collection[str]) -> frozenset[str]:
    """
    Those of some images that no instance of a host boots from, and that nobody can launch.

    While one is rescued it may have been from any: nothing is known then.
    """
    rows = instances.on_host(txn, host)
    if any(row.state_description in _RESCUE for row in rows):
        return frozenset()
    booted = {each for row in rows for each in (row.image_id, row.kernel_id, row.ramdisk_id)}
    return frozenset(ids) - booted - images.available(txn, ids)


def look_up_image(
    txn: Connection, instance_id: int, image_id: str
) -> tuple[Instance | None, str | None, bool]:
    """An instance, its network's host, and whether an image is (still) to be made of it."""
    waiting = announced_images.awaited(txn)
    wanted = (instance_id, image_id) in {(each.instance_id, each.image_id) for each in waiting}
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
