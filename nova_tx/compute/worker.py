"""
The compute worker: what happens to the guests of this host.                 [spec/01 section 6]

Every message begins with a look at the row, so one that comes twice, or late,
finds another state and stops.  What an earlier run left unfinished is settled
by L{nova_tx.compute.reconcile} before messages are taken.  Each story is a file:
L{building<nova_tx.compute.building>}, L{switching<nova_tx.compute.switching>},
L{imaging<nova_tx.compute.imaging>}, L{ending<nova_tx.compute.ending>}.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from twisted.internet.defer import CancelledError, DeferredLock
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import transactions
from nova_tx.compute.building import Building
from nova_tx.compute.ending import Ending
from nova_tx.compute.guest import Places
from nova_tx.compute.image_cache import ImageCache
from nova_tx.compute.imaging import Imaging
from nova_tx.compute.reconcile import Act, Decision, decide, strays
from nova_tx.compute.sightings import Sightings
from nova_tx.compute.stage import Stage
from nova_tx.compute.switching import Switching
from nova_tx.compute.turns import Turns
from nova_tx.context import RequestContext
from nova_tx.db import instances
from nova_tx.db.engine import Database, now
from nova_tx.errors import StartupError, Unavailable, VirtError
from nova_tx.flags import ComputeFlags, ImageFlags, NetworkFlags, NodeFlags
from nova_tx.image.interfaces import IImages
from nova_tx.log import background, in_context
from nova_tx.model.images import AwaitedImage
from nova_tx.model.instances import Instance
from nova_tx.network.client import NetworkClient
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.remote import at_any_time
from nova_tx.virt.interfaces import IVirtDriver

_log = Logger()


class ComputeWorker:
    """Answers topic C{compute} of this host."""

    names = ("nova.compute.manager.ComputeManager", "compute")

    def __init__(
        self,
        database: Database,
        network: NetworkClient,
        images: IImages,
        driver: IVirtDriver,
        fabric: IFabric,
        node: NodeFlags,
        compute: ComputeFlags,
        image: ImageFlags,
        networking: NetworkFlags,
    ) -> None:
        """
        @param fabric: makes the bridges that guests are put into.
        """
        self._database = database
        self._driver = driver
        self._host = node.host
        self._path = compute.instances_path
        self._places = Places(node.instance_name_template, compute.instances_path)
        self._cache = ImageCache(images, compute.instances_path)
        self._kept_seconds = compute.image_cache_seconds
        self._rescue_ids = {
            compute.rescue_image_id,
            compute.rescue_kernel_id,
            compute.rescue_ramdisk_id,
        }
        self._turns = Turns()
        self._sightings = Sightings(self._turns, self._places, self._look)
        self._stage = Stage(
            database,
            network,
            driver,
            fabric,
            self._cache,
            self._sightings,
            self._places,
            node.host,
            networking.flat_interface or None,
            compute.minimum_root_size,
            image.null_kernel,
        )
        self._ending = Ending(self._stage)
        self._building = Building(self._stage, self._ending, compute.max_build_attempts)
        self._switching = Switching(self._stage, compute)
        self._imaging = Imaging(self._stage, self._switching, images, compute.instances_path)
        self._round = DeferredLock()
        self._asked = False
        self._stopped = False

    # Life.

    async def start(self) -> None:
        """
        Reach the hypervisor; settle what an earlier run left.

        @raise StartupError: the hypervisor can't be reached.
        """
        try:
            await self._driver.open()
        except VirtError as error:
            raise StartupError(f"can't reach the hypervisor: {error}") from error
        await self._cache.open()
        self._driver.watch(self._sightings.seen)
        rows = await self._database.read(instances.on_host, self._host)
        self._ending.owed = {row.id for row in rows if row.state_description == states.ERROR}
        await self.periodic()

    async def periodic(self) -> None:
        """Bring rows and guests together; give back addresses that are owed."""
        async with self._round:
            self._asked = False
            if self._stopped:
                return
            await self._reconcile()
            await self._ending.pay()

    async def stop(self) -> None:
        """Let go of the hypervisor; guests run on."""
        self._stopped = True
        await self._imaging.close()
        async with self._round:
            await self._driver.close()

    # Messages.  Each may raise Unavailable: a part that it needs is away; ask again.

    async def remote_run_instance(self, context: RequestContext, instance_id: int) -> None:
        """Build the guest of an instance that is C{scheduling}, or was begun here."""
        await self._building.run(context, instance_id)

    async def remote_reboot_instance(self, context: RequestContext, instance_id: int) -> None:
        """Switch the guest of an instance that is C{rebooting} off and on."""
        await self._switching.reboot(context, instance_id)

    async def remote_start_instance(self, context: RequestContext, instance_id: int) -> None:
        """Switch the guest of an instance that is C{starting} on."""
        await self._switching.start(context, instance_id)

    async def remote_stop_instance(
        self, context: RequestContext, instance_id: int, force: bool = False
    ) -> None:
        """Switch the guest of an instance that is C{stopping} off, by force without a question."""
        await self._switching.stop(instance_id, force)

    async def remote_rescue_instance(self, context: RequestContext, instance_id: int) -> None:
        """Boot an instance that is C{rescuing} from the rescue image."""
        await self._switching.rescue(context, instance_id)

    async def remote_unrescue_instance(self, context: RequestContext, instance_id: int) -> None:
        """Boot an instance that is C{unrescuing} from its own disk again."""
        await self._switching.unrescue(context, instance_id)

    async def remote_terminate_instance(self, context: RequestContext, instance_id: int) -> None:
        """End the guest of an instance that is C{terminating}, whatever there is of it."""
        await self._ending.terminate(context, instance_id)

    @at_any_time
    async def remote_create_image(
        self, context: RequestContext, instance_id: int, image_id: str
    ) -> None:
        """
        Make an image that was announced of an instance.

        It waits for its turn by itself, and only to copy the disk: what is
        asked of the instance meanwhile need not wait for the copy to be brought.
        """
        await self._imaging.create(context, instance_id, image_id)

    @at_any_time
    async def remote_get_console_output(self, context: RequestContext, instance_id: int) -> str:
        """
        The end of the guest's console, one character per byte.

        @raise Unavailable: it can't be read now.
        """
        name = self._places.name(instance_id)
        try:
            output = await self._driver.console_output(name, self._places.directory(name))
        except VirtError as error:
            _log.failure("the console of instance {id} can't be read", id=instance_id)
            raise Unavailable("The console can't be read now") from error
        return output.decode("latin-1")

    # Rows and guests.

    def _look(self) -> None:
        """Bring rows and guests together soon: a guest ended."""
        if not (self._asked or self._stopped):
            self._asked = True
            _ = background(self.periodic(), "looking at guests")

    async def _reconcile(self) -> None:
        with self._turns.looking() as busy:
            rows, works = await self._database.read(transactions.of_host, self._host)
            guests = await self._driver.guests()
            names = await deferToThread(_directories, self._path)
            itself = self._sightings.itself
            for decision in decide(rows, guests, names, self._places, now(), itself):
                if decision.instance.id not in busy:
                    await self._settle(decision, works)
            lost = [instance_id for instance_id, _ in strays(rows, names, self._places)]
            for instance_id in await self._database.read(transactions.ended, lost) if lost else ():
                if instance_id not in busy:
                    async with self._stage.turn(instance_id):
                        await self._ending.clear(instance_id)
        await self._imaging.go_on(works, now())
        await self._cache.trim(self._unneeded, self._kept_seconds)

    async def _unneeded(self, ids: Collection[str]) -> Collection[str]:
        found = await self._database.read(transactions.unneeded, self._host, ids)
        return found - self._rescue_ids

    async def _settle(self, decision: Decision, works: Sequence[AwaitedImage]) -> None:
        row = decision.instance
        owner = RequestContext(user=row.user_id, project=row.project_id)
        with in_context(owner):
            await self._settle_for(owner, decision, works)

    async def _settle_for(
        self, owner: RequestContext, decision: Decision, works: Sequence[AwaitedImage]
    ) -> None:
        row, act = decision.instance, decision.act
        _log.info("instance {id}: {what}", id=row.id, what=act.value)
        try:
            if act is not Act.IMAGE:
                await self._do(act, row, owner)
            elif row.id not in {each.instance_id for each in works}:
                await self._switching.start(owner, row.id, states.IMAGING)
        except CancelledError:
            raise
        except Exception:
            _log.failure("instance {id} is not settled, yet", id=row.id)

    async def _do(self, act: Act, row: Instance, owner: RequestContext) -> None:
        match act:
            case Act.RUN:
                await self._stage.moved(row.id, states.RUN, launched_at=row.launched_at or now())
            case Act.STOP:
                await self._stage.moved(row.id, states.STOP, reason=None)
            case Act.END:
                if await self._stage.moved(row.id, states.TERMINATE, terminated_at=now()):
                    await self._ending.terminate(owner, row.id)
            case Act.DESTROY:
                async with self._stage.turn(row.id):
                    await self._ending.clear(row.id)
            case Act.TERMINATE:
                await self._ending.terminate(owner, row.id)
            case Act.BUILD:
                await self._building.run(owner, row.id)
            case Act.REBOOT:
                await self._switching.reboot(owner, row.id)
            case Act.START:
                await self._switching.start(owner, row.id)
            case Act.HALT:
                await self._switching.stop(row.id, False)
            case Act.RESCUE:
                await self._switching.rescue(owner, row.id)
            case Act.UNRESCUE:
                await self._switching.unrescue(owner, row.id)


def _directories(path: str) -> frozenset[str]:
    with os.scandir(path) as entries:
        return frozenset(each.name for each in entries if each.is_dir(follow_symlinks=False))
