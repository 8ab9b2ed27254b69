"""
What becomes of instances that are there: on, off, on again, rescued, ended.
                                                              [spec/01 section 6; spec/15 C19]
The row is moved first, then its host is told; who hears of it twice finds it
done, or being done.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute.client import ComputeClient
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instances, power
from nova_tx.db.engine import Database
from nova_tx.db.power import Changes
from nova_tx.errors import Unavailable
from nova_tx.model.instances import Instance
from nova_tx.operations.clock import moment
from nova_tx.operations.together import together

__all__ = ["Changes", "PowerControl"]

_log = Logger()


class PowerControl:
    """What a user may do to instances that are there, all of those named or none."""

    def __init__(self, database: Database, compute: ComputeClient, clock: IReactorTime) -> None:
        self._database = database
        self._compute = compute
        self._clock = clock
        #: what a host is asked, by the state that an instance is in until it is done
        self._asks = {
            states.TERMINATING: compute.terminate_instance,
            states.REBOOTING: compute.reboot_instance,
            states.STARTING: compute.start_instance,
            states.STOPPING: compute.stop_instance,
            states.RESCUING: compute.rescue_instance,
            states.UNRESCUING: compute.unrescue_instance,
        }

    async def terminate(self, context: RequestContext, ids: Sequence[int]) -> Changes:
        """
        End instances; returns each as it was and as it is now.

        Those that are ending already are told again: the first message may be lost.

        @raise InstanceNotFound, Conflict, OperationNotPermitted: see
            L{nova_tx.db.power.request_termination}.
        """
        changed = await self._database.run(
            power.request_termination, context, ids, moment(self._clock)
        )
        await self._tell(context, [after for _, after in changed])
        return changed

    async def reboot(self, context: RequestContext, ids: Sequence[int]) -> None:
        """
        Switch instances off and on.

        @raise InstanceNotFound, WrongState: see L{nova_tx.db.power.request_reboot}.
        """
        await self._tell(context, await self._database.run(power.request_reboot, context, ids))

    async def start(self, context: RequestContext, ids: Sequence[int]) -> Changes:
        """
        Switch instances on that are stopped; returns each as it was and as it is now.

        @raise InstanceNotFound, WrongState: see L{nova_tx.db.power.request_start}.
        """
        changed = await self._database.run(power.request_start, context, ids)
        await self._tell(context, [after for _, after in changed])
        return changed

    async def stop(
        self, context: RequestContext, ids: Sequence[int], force: bool = False
    ) -> Changes:
        """
        Switch instances off; they keep disk and address.  Returns each as it was and is now.

        @param force: their power is cut at once.  That is told, not kept: what
            was lost on the way is done in the other way, which ends so, too.
        @raise InstanceNotFound, WrongState: see L{nova_tx.db.power.request_stop}.
        """
        changed = await self._database.run(power.request_stop, context, ids)
        await self._tell(context, [after for _, after in changed], force)
        return changed

    async def rescue(self, context: RequestContext, instance_id: int) -> None:
        """
        Boot an instance from the rescue image, with its own root disk beside that.

        @raise InstanceNotFound, WrongState: see L{nova_tx.db.power.request_rescue}.
        """
        await self._tell(
            context, [await self._database.run(power.request_rescue, context, instance_id)]
        )

    async def unrescue(self, context: RequestContext, instance_id: int) -> None:
        """
        Boot a rescued instance from its own disk again.

        @raise InstanceNotFound, WrongState: see L{nova_tx.db.power.request_unrescue}.
        """
        await self._tell(
            context, [await self._database.run(power.request_unrescue, context, instance_id)]
        )

    async def resume(self) -> None:
        """Tell hosts again what an API that died may not have told them."""
        waiting = await self._database.read(instances.in_states, tuple(self._asks))
        await together(
            self._ask(admin_context(each.user_id, each.project_id), each) for each in waiting
        )

    async def _tell(
        self, context: RequestContext, changed: Sequence[Instance], force: bool = False
    ) -> None:
        await together(
            self._ask(context, each, force)
            for each in changed
            if each.state_description in self._asks
        )

    async def _ask(self, context: RequestContext, instance: Instance, force: bool = False) -> None:
        """Ask its host; one that can't be reached reads the row when it is back."""
        host, state = instance.host, instance.state_description
        assert host is not None
        try:
            if force:
                await self._compute.stop_instance(context, host, instance.id, force=True)
            else:
                await self._asks[state](context, host, instance.id)
        except Unavailable as error:
            _log.warn(
                "host {host} could not be told that instance {id} is {state}: {error}",
                host=host,
                state=state,
                id=instance.id,
                error=str(error),
            )
