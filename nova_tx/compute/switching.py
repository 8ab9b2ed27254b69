"""
Guests that are there, switched off and on: reboot, start, stop, rescue.  [spec/07 section 9]

If what was asked can't be done nothing is lost: the guest runs as before, or is
off and can be started.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import reasons
from nova_tx.compute.guest import boot_ids
from nova_tx.compute.stage import Stage, let_pass
from nova_tx.context import RequestContext
from nova_tx.flags import ComputeFlags
from nova_tx.model.guests import GuestSpec
from nova_tx.model.instances import Instance
from nova_tx.states import Power

_log = Logger()

#: An instance and the host that carries its network.
Found = tuple[Instance, str | None]


class Switching:
    """
    Switches guests; each method looks at the row first, and stops at another state.

    Each may raise L{Unavailable}: a part that it needs is away; ask again.
    """

    def __init__(self, stage: Stage, flags: ComputeFlags) -> None:
        self._stage = stage
        self._rescue_ids = boot_ids(
            flags.rescue_image_id,
            flags.rescue_kernel_id,
            flags.rescue_ramdisk_id,
            stage.null_kernel,
        )

    async def reboot(self, context: RequestContext, instance_id: int) -> None:
        """Switch the guest of an instance that is C{rebooting} off and on."""
        async with self._stage.turn(instance_id):
            found = await self._stage.looked_up(instance_id, states.REBOOTING)
            if found is not None:
                await self._have_run(context, found, self._stage.driver.reboot)

    async def start(
        self, context: RequestContext, instance_id: int, state: str = states.STARTING
    ) -> None:
        """Switch the guest of an instance that is C{starting} on."""
        async with self._stage.turn(instance_id):
            found = await self._stage.looked_up(instance_id, state)
            if found is not None:
                await self.start_again(context, found)

    async def start_again(self, context: RequestContext, found: Found) -> None:
        """Switch a guest on that is off; whoever asks has its turn."""
        await self._have_run(context, found, self._stage.driver.start)

    async def stop(self, instance_id: int, force: bool) -> None:
        """Switch the guest of an instance that is C{stopping} off; if that fails, again later."""
        async with self._stage.turn(instance_id):
            if await self._stage.looked_up(instance_id, states.STOPPING) is None:
                return
            try:
                await self._stage.driver.stop(self._stage.places.name(instance_id), force)
            except CancelledError:
                raise
            except Exception as error:
                let_pass(error)
                _log.failure("instance {id} could not be stopped, yet", id=instance_id)
            else:
                await self._stage.moved(instance_id, states.STOP, reason=None)

    async def rescue(self, context: RequestContext, instance_id: int) -> None:
        """Boot an instance that is C{rescuing} from the rescue image."""

        async def boot(spec: GuestSpec) -> None:
            files = await self._stage.files(context, *self._rescue_ids)
            await self._stage.driver.rescue(spec, files)

        async with self._stage.turn(instance_id):
            found = await self._stage.looked_up(instance_id, states.RESCUING)
            if found is not None:
                await self._have_run(context, found, boot, states.SHELTER)

    async def unrescue(self, context: RequestContext, instance_id: int) -> None:
        """Boot an instance that is C{unrescuing} from its own disk again."""
        async with self._stage.turn(instance_id):
            found = await self._stage.looked_up(instance_id, states.UNRESCUING)
            if found is not None:
                await self._have_run(context, found, self._stage.driver.unrescue)

    async def _have_run(
        self,
        context: RequestContext,
        found: Found,
        switch: Callable[[GuestSpec], Awaitable[None]],
        event: states.Move = states.RUN,
    ) -> None:
        """Have a guest run as is wanted; if it can't, the row says what it does."""
        instance = found[0]
        was = instance.state_description
        try:
            await switch(await self._stage.spec(context, *found))
        except CancelledError:
            raise
        except Exception as error:
            let_pass(error)
            _log.failure("instance {id} is {was} in vain", id=instance.id, was=was)
            guests = await self._stage.driver.guests()
            if guests.get(self._stage.places.name(instance.id)) != Power.RUNNING:
                event = states.STOP
            else:  # what it has not left, it still is in
                event = states.SHELTER if was == states.UNRESCUING else states.RUN
            reason = reasons.in_vain(was, error)
            await self._stage.moved(instance.id, event, reason=reason)
        else:
            await self._stage.moved(instance.id, event, reason=None)
