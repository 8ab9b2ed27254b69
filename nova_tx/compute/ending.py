"""
The end of instances: nothing of them is left but the row.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute.stage import Stage, let_pass
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instances, networks
from nova_tx.errors import WrongState
from nova_tx.log import request

_log = Logger()


class Ending:
    """
    Ends guests, removes their files, gives back their addresses.

    @ivar owed: instances whose address the network worker has not taken back yet.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.owed: set[int] = set()

    async def terminate(self, context: RequestContext, instance_id: int) -> None:
        """
        End the guest of an instance that is C{terminating}, whatever there is of it.

        @raise Unavailable: a part that it needs is away; ask again.
        """
        async with self._stage.turn(instance_id):
            found = await self._stage.looked_up(instance_id, states.TERMINATING)
            if found is None:
                return
            try:
                await self._destroy(instance_id)
                await self._stage.network.deallocate_fixed_ip(context, found[1], instance_id)
            except CancelledError:
                raise
            except Exception as error:
                let_pass(error)
                _log.failure("instance {id} could not be ended, yet", id=instance_id)
                return
            self.owed.discard(instance_id)
            await self._stage.moved(instance_id, states.BURY)
            _log.info("instance {id} is terminated", id=instance_id)

    async def give_up(self, instance_id: int, reason: str) -> None:
        """Leave nothing of an instance but its row, in C{error}; whoever asks has its turn."""
        await self.clear(instance_id)
        try:
            await self._stage.database.run(instances.fail, instance_id, reason)
        except WrongState as error:
            _log.info("{error}", error=error)

    async def clear(self, instance_id: int) -> None:
        """Leave nothing of an instance but its row, as it is; whoever asks has its turn."""
        try:
            await self._destroy(instance_id)
        except CancelledError:
            raise
        except Exception:
            _log.failure("leftovers of instance {id} are not removed, yet", id=instance_id)
        await self._give_back(instance_id)

    async def pay(self) -> None:
        """Give back the addresses that are owed, as far as that can be done now."""
        for instance_id in sorted(self.owed):
            if not await self._give_back(instance_id):
                break

    async def _destroy(self, instance_id: int) -> None:
        name = self._stage.places.name(instance_id)
        await self._stage.driver.destroy(name, self._stage.places.directory(name))
        self._stage.sightings.forget(instance_id)

    async def _give_back(self, instance_id: int) -> bool:
        """Give back an address; if that fails it stays owed, and is tried again."""
        self.owed.add(instance_id)
        try:
            carrier = await self._stage.database.read(networks.host_for, instance_id)
            network = self._stage.network
            # of the request that ends it, if there is one
            context = (request.get() or admin_context()).elevated()
            await network.deallocate_fixed_ip(context, carrier, instance_id)
        except CancelledError:
            raise
        except Exception as error:
            _log.warn(
                "the address of instance {id} is not given back, yet: {error}",
                id=instance_id,
                error=error,
            )
            return False
        self.owed.discard(instance_id)
        return True
