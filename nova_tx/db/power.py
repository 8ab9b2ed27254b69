"""
What users ask of instances that are there: each request is a move of all of them, or of none.
                                                                        [spec/07 section 9]
A worker is told afterwards; until it is done, the row says what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from nova_tx import states
from nova_tx.context import RequestContext
from nova_tx.db import instances, replays
from nova_tx.db.engine import now as current_time
from nova_tx.errors import OperationNotPermitted, WrongState
from nova_tx.ids import instance_ec2_id
from nova_tx.model.instances import Instance
from nova_tx.states import Move

#: Each instance as it was and as it is now.
Changes = tuple[tuple[Instance, Instance], ...]


def request_termination(
    txn: Connection, context: RequestContext, ids: Sequence[int], now: datetime
) -> Changes:
    """
    Bring instances to C{terminating}.

    One without a host is buried at once; one that ends or has ended is left.

    @raise InstanceNotFound: one is not there, or not the caller's: nothing was written.
    @raise Conflict: one is locked, and the caller no administrator: nothing was written.
    @raise OperationNotPermitted: one is protected, whoever the caller is: nothing was written.
    """
    found = instances.held(txn, context, ids)
    for each in found:
        if each.disable_api_termination and each.state_description in _PROTECTED:
            raise OperationNotPermitted(
                f"The instance '{instance_ec2_id(each.id)}' may not be terminated. Modify its "
                "'disableApiTermination' instance attribute and try again."
            )
    return tuple((each, _terminate(txn, each, now)) for each in found)


#: What is protected; an instance in error holds nothing that could be lost.
_PROTECTED = states.LIVE - {states.TERMINATING}


def _terminate(txn: Connection, instance: Instance, now: datetime) -> Instance:
    if instance.state_description in (states.TERMINATING, states.TERMINATED):
        return instance
    after = instances.move(txn, instance.id, states.TERMINATE, terminated_at=now)
    return after if after.host else instances.move(txn, instance.id, states.BURY)


def request_reboot(
    txn: Connection, context: RequestContext, ids: Sequence[int]
) -> tuple[Instance, ...]:
    """
    Bring instances to C{rebooting}; one that is already is left.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: one does not run: nothing was written.
    """
    return tuple(after for _, after in _moved(txn, context, ids, states.REBOOT))


def request_start(txn: Connection, context: RequestContext, ids: Sequence[int]) -> Changes:
    """
    Bring instances to C{starting}; one that starts already or runs is left.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: one is neither stopped nor running: nothing was written.
    """
    return _moved(txn, context, ids, states.START, states.RUNNING)


def request_stop(txn: Connection, context: RequestContext, ids: Sequence[int]) -> Changes:
    """
    Bring instances to C{stopping}; one that stops already or is stopped is left.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: one does not run: nothing was written.
    """
    return _moved(txn, context, ids, states.HALT, states.SHUTDOWN)


def request_rescue(txn: Connection, context: RequestContext, instance_id: int) -> Instance:
    """
    Bring an instance to C{rescuing}; one that is already is left.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: it neither runs nor is stopped.
    """
    return _moved(txn, context, (instance_id,), states.RESCUE)[0][1]


def request_unrescue(txn: Connection, context: RequestContext, instance_id: int) -> Instance:
    """
    Bring an instance to C{unrescuing}; one that is already is left.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: it is not rescued.
    """
    return _moved(txn, context, (instance_id,), states.UNRESCUE)[0][1]


def request_image(
    txn: Connection, context: RequestContext, instance_id: int, no_reboot: bool
) -> Instance:
    """
    Make ready for an image of an instance: to be asked before the image is announced.

    One that runs comes to C{imaging}, unless it is not to be rebooted: it is
    switched off for the image, and on again.  If no image is announced after
    all, its host finds that out, and has it run again.

    @raise InstanceNotFound, Conflict: as L{request_termination}.
    @raise WrongState: it neither runs nor is stopped.
    @raise TooSoon, Replayed: as L{replays.claim}.
    """
    (instance,) = instances.held(txn, context, (instance_id,))
    if instance.state_description not in (states.RUNNING, states.SHUTDOWN):
        raise WrongState(
            f"Instance {instance_ec2_id(instance_id)} is {instance.state_description}, "
            "and no image can be made of it"
        )
    replays.claim(txn, context, current_time())
    if no_reboot or instance.state_description == states.SHUTDOWN:
        return instance
    return instances.move(txn, instance_id, states.IMAGE)


def _moved(
    txn: Connection, context: RequestContext, ids: Sequence[int], event: Move, *leaving: str
) -> Changes:
    """
    Move instances, but those in C{leaving} and those that are where it leads to.

    @raise TooSoon, Replayed: as L{replays.claim}, if there is one to move.
    """
    left = (event.target, *leaving)
    found = instances.held(txn, context, ids)
    if any(each.state_description not in left for each in found):
        replays.claim(txn, context, current_time())
    return tuple(
        (each, each if each.state_description in left else instances.move(txn, each.id, event))
        for each in found
    )
