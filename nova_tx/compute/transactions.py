"""The compute worker's transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from nova_tx import states
from nova_tx.db import instances, networks
from nova_tx.errors import InstanceNotFound
from nova_tx.model import Instance


def look_up(txn: Connection, instance_id: int) -> tuple[Instance, str | None]:
    """An instance, and the host that carries its network."""
    return instances.get(txn, instance_id), networks.host_for(txn, instance_id)


def begin(txn: Connection, instance_id: int, host: str) -> tuple[Instance, str | None]:
    """
    Begin to build, or go on with what was begun here: the same, after the move.

    @raise WrongState: it is neither to be built nor being built here.
    """
    instance = instances.get(txn, instance_id)
    if instance.state_description != states.NETWORKING or instance.host != host:
        instance = instances.move(txn, instance_id, states.BUILD, host=host)
    return instance, networks.host_for(txn, instance_id)


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
