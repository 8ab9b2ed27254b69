"""
The beginning of instances: address, images, disks, guest.             [spec/07 section 5]
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import reasons, transactions
from nova_tx.compute.ending import Ending
from nova_tx.compute.stage import Stage, let_pass
from nova_tx.context import RequestContext
from nova_tx.db.engine import now
from nova_tx.errors import InstanceNotFound, Unavailable, WrongState
from nova_tx.model.instances import Instance

_log = Logger()


class Building:
    """Builds guests."""

    def __init__(self, stage: Stage, ending: Ending, most: int) -> None:
        """
        @param most: how often an instance is begun at most: one whose building
            ends this daemon must not end it for ever.
        """
        self._stage = stage
        self._ending = ending
        self._most = most

    async def run(self, context: RequestContext, instance_id: int) -> None:
        """
        Give an instance that is C{scheduling} its address, its disks and its guest.

        One that is C{networking} here was begun, and is gone on with.

        @raise Unavailable: a part that it needs is away; ask again.
        """
        async with self._stage.turn(instance_id):
            try:
                instance, carrier = await self._stage.database.run(
                    transactions.begin, instance_id, self._stage.host
                )
            except (WrongState, InstanceNotFound) as error:
                _log.info("instance {id} is not built: {error}", id=instance_id, error=error)
                return
            if instance.build_attempts > self._most:
                _log.warn("instance {id} was begun too often", id=instance_id)
                await self._ending.give_up(instance_id, reasons.begun_too_often(self._most))
                return
            if not await self._built(context, instance, carrier):
                return
            if await self._stage.moved(instance_id, states.RUN, launched_at=now()):
                _log.info("instance {id} runs", id=instance_id)
            else:  # its owner has terminated it meanwhile; that message comes next
                await self._ending.clear(instance_id)

    async def _built(
        self, context: RequestContext, instance: Instance, carrier: str | None
    ) -> bool:
        try:
            await self._stage.driver.spawn(await self._stage.spec(context, instance, carrier))
        except CancelledError:
            raise
        except Exception as error:
            try:
                let_pass(error)
            except Unavailable:
                # that a part is away says nothing against the instance
                await self._stage.database.run(transactions.not_counted, instance.id)
                raise
            _log.failure("instance {id} could not be built", id=instance.id)
            await self._ending.give_up(instance.id, reasons.sentence(error))
            return False
        return True
