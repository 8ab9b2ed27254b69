"""
The compute worker: builds, reboots and ends the guests of this host.        [spec/01 section 6]

Every message begins with a look at the row, so one that comes twice, or late,
finds another state and stops.  What an earlier run left unfinished is settled
by L{nova_tx.compute.reconcile} before messages are taken.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import CancelledError, DeferredLock
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import reasons, transactions
from nova_tx.compute.guest import Files, Places, guest, image_ids
from nova_tx.compute.image_cache import ImageCache
from nova_tx.compute.reconcile import Act, Decision, decide, strays
from nova_tx.compute.turns import Turns
from nova_tx.context import RequestContext, admin_context
from nova_tx.db import instances, networks
from nova_tx.db.engine import Database, now
from nova_tx.errors import (
    InstanceNotFound,
    StartupError,
    Unavailable,
    Unroutable,
    VirtError,
    WrongState,
)
from nova_tx.flags import ComputeFlags, ImageFlags, NetworkFlags, NodeFlags
from nova_tx.image.interfaces import IImages
from nova_tx.log import background
from nova_tx.model import GuestSpec, Instance
from nova_tx.network.client import NetworkClient
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.remote import at_any_time
from nova_tx.states import Power
from nova_tx.virt.interfaces import IVirtDriver

_log = Logger()


class ComputeWorker:
    """Answers topic C{compute} of this host."""

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
        self._network = network
        self._driver = driver
        self._fabric = fabric
        self._host = node.host
        self._interface = networking.flat_interface or None
        self._minimum_root_size = compute.minimum_root_size
        self._null_kernel = image.null_kernel
        self._places = Places(node.instance_name_template, compute.instances_path)
        self._cache = ImageCache(images, compute.instances_path)
        self._turns = Turns()
        self._round = DeferredLock()
        self._asked = False
        self._stopped = False
        #: instances whose address the network worker has not taken back yet
        self._owed: set[int] = set()
        #: instances that are worked on, and whose guest ended meanwhile
        self._ended: set[int] = set()

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
        self._driver.watch(self._seen)
        rows = await self._database.read(instances.on_host, self._host)
        self._owed = {row.id for row in rows if row.state_description == states.ERROR}
        await self.periodic()

    async def periodic(self) -> None:
        """Bring rows and guests together; give back addresses that are owed."""
        async with self._round:
            self._asked = False
            if self._stopped:
                return
            await self._reconcile()
            for instance_id in sorted(self._owed):
                if not await self._give_back(instance_id):
                    break

    async def stop(self) -> None:
        """Let go of the hypervisor; guests run on."""
        self._stopped = True
        async with self._round:
            await self._driver.close()

    # Messages.

    async def remote_run_instance(self, context: RequestContext, instance_id: int) -> None:
        """
        Give an instance that is C{scheduling} its address, its disks and its guest.

        One that is C{networking} here was begun, and is gone on with.

        @raise Unavailable: a part that it needs is away; ask again.
        """
        async with self._turn(instance_id):
            try:
                instance, carrier = await self._database.run(
                    transactions.begin, instance_id, self._host
                )
            except (WrongState, InstanceNotFound) as error:
                _log.info("instance {id} is not built: {error}", id=instance_id, error=error)
                return
            try:
                await self._driver.spawn(await self._spec(context, instance, carrier))
            except CancelledError:
                raise
            except Exception as error:
                _let_pass(error)
                _log.failure("instance {id} could not be built", id=instance_id)
                await self._give_up(instance_id, reasons.sentence(error))
                return
            if await self._moved(instance_id, states.RUN, launched_at=now()):
                _log.info("instance {id} runs", id=instance_id)
            else:  # its owner has terminated it meanwhile; that message comes next
                await self._clear(instance_id)

    async def remote_reboot_instance(self, context: RequestContext, instance_id: int) -> None:
        """
        Switch the guest of an instance that is C{rebooting} off and on.

        @raise Unavailable: a part that it needs is away; ask again.
        """
        async with self._turn(instance_id):
            found = await self._looked_up(instance_id, states.REBOOTING)
            if found is None:
                return
            try:
                await self._driver.reboot(await self._spec(context, *found))
            except CancelledError:
                raise
            except Exception as error:
                _let_pass(error)
                _log.failure("instance {id} could not be rebooted", id=instance_id)
                await self._not_rebooted(instance_id, reasons.sentence(error))
            else:
                await self._moved(instance_id, states.RUN, reason=None)

    async def remote_terminate_instance(self, context: RequestContext, instance_id: int) -> None:
        """
        End the guest of an instance that is C{terminating}, whatever there is of it.

        @raise Unavailable: a part that it needs is away; ask again.
        """
        async with self._turn(instance_id):
            found = await self._looked_up(instance_id, states.TERMINATING)
            if found is None:
                return
            try:
                await self._destroy(instance_id)
                await self._network.deallocate_fixed_ip(context, found[1], instance_id)
            except CancelledError:
                raise
            except Exception as error:
                _let_pass(error)
                _log.failure("instance {id} could not be ended, yet", id=instance_id)
                return
            self._owed.discard(instance_id)
            await self._moved(instance_id, states.BURY)
            _log.info("instance {id} is terminated", id=instance_id)

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

    # Parts of them.

    @asynccontextmanager
    async def _turn(self, instance_id: int) -> AsyncIterator[None]:
        """The turn to work on an instance; if its guest ended meanwhile, look again after it."""
        async with self._turns.of(instance_id):
            yield
        if instance_id in self._ended:
            self._ended.discard(instance_id)
            self._look()

    async def _looked_up(self, instance_id: int, state: str) -> tuple[Instance, str | None] | None:
        """The row and the host that carries its network, if the row is in C{state}."""
        try:
            found = await self._database.read(transactions.look_up, instance_id)
        except InstanceNotFound:
            found = None
        if found is None or found[0].state_description != state:
            _log.info("instance {id} is not {state} any more", id=instance_id, state=state)
            return None
        return found

    async def _spec(
        self, context: RequestContext, instance: Instance, carrier: str | None
    ) -> GuestSpec:
        """
        Everything a guest needs: its address, its bridge, its images on this host.

        @param carrier: the host that carries its network.
        """
        nic = await self._network.allocate_fixed_ip(context, carrier, instance.id)
        await self._fabric.ensure_bridge(nic.bridge, self._interface)
        image, kernel, ramdisk = image_ids(instance, self._null_kernel)
        files = Files(
            await self._cache.file(context, image),
            await self._cache.file(context, kernel) if kernel else None,
            await self._cache.file(context, ramdisk) if ramdisk else None,
        )
        return guest(instance, nic, files, self._places, self._minimum_root_size)

    async def _moved(self, instance_id: int, event: states.Move, **columns: object) -> bool:
        """Make a move; False if the instance was in another state by then."""
        try:
            await self._database.run(transactions.move, instance_id, event, columns)
        except WrongState as error:
            _log.info("{error}", error=error)
            return False
        return True

    async def _not_rebooted(self, instance_id: int, reason: str) -> None:
        """Nothing is lost: the guest runs as before, or can be started by another reboot."""
        guests = await self._driver.guests()
        if guests.get(self._places.name(instance_id)) == Power.RUNNING:
            await self._moved(instance_id, states.RUN)
        else:
            await self._moved(instance_id, states.STOP, reason=reason)

    async def _give_up(self, instance_id: int, reason: str) -> None:
        """Leave nothing of an instance but its row, in C{error}."""
        await self._clear(instance_id)
        try:
            await self._database.run(instances.fail, instance_id, reason)
        except WrongState as error:
            _log.info("{error}", error=error)

    async def _clear(self, instance_id: int) -> None:
        try:
            await self._destroy(instance_id)
        except CancelledError:
            raise
        except Exception:
            _log.failure("leftovers of instance {id} are not removed, yet", id=instance_id)
        await self._give_back(instance_id)

    async def _destroy(self, instance_id: int) -> None:
        name = self._places.name(instance_id)
        await self._driver.destroy(name, self._places.directory(name))
        self._ended.discard(instance_id)

    async def _give_back(self, instance_id: int) -> bool:
        """Give back an address; if that fails it stays owed, and is tried again."""
        self._owed.add(instance_id)
        try:
            carrier = await self._database.read(networks.host_for, instance_id)
            await self._network.deallocate_fixed_ip(admin_context(), carrier, instance_id)
        except CancelledError:
            raise
        except Exception as error:
            _log.warn(
                "the address of instance {id} is not given back, yet: {error}",
                id=instance_id,
                error=error,
            )
            return False
        self._owed.discard(instance_id)
        return True

    # Rows and guests.

    def _seen(self, name: str, power: Power) -> None:
        """A guest ended: look what that means, now or when the work on it is done."""
        instance_id = self._places.instance_id(name)
        if instance_id is None:
            return
        if power not in (Power.SHUTOFF, Power.CRASHED):
            self._ended.discard(instance_id)
            return
        if self._turns.taken(instance_id):
            self._ended.add(instance_id)
        else:
            self._look()

    def _look(self) -> None:
        if not (self._asked or self._stopped):
            self._asked = True
            _ = background(self.periodic(), "looking at guests")

    async def _reconcile(self) -> None:
        with self._turns.looking() as busy:
            rows = await self._database.read(instances.on_host, self._host)
            guests = await self._driver.guests()
            names = await deferToThread(_directories, self._places.instances_path)
            for decision in decide(rows, guests, names, self._places, now()):
                if decision.instance.id not in busy:
                    await self._settle(decision)
            lost = [instance_id for instance_id, _ in strays(rows, names, self._places)]
            for instance_id in await self._database.read(transactions.ended, lost) if lost else ():
                if instance_id not in busy:
                    async with self._turn(instance_id):
                        await self._clear(instance_id)

    async def _settle(self, decision: Decision) -> None:
        row, act = decision.instance, decision.act
        _log.info("instance {id}: {what}", id=row.id, what=act.value)
        owner = RequestContext(user=row.user_id, project=row.project_id)
        try:
            match act:
                case Act.RUN:
                    await self._moved(row.id, states.RUN, launched_at=row.launched_at or now())
                case Act.STOP:
                    await self._moved(row.id, states.STOP)
                case Act.DESTROY:
                    async with self._turn(row.id):
                        await self._clear(row.id)
                case Act.TERMINATE:
                    await self.remote_terminate_instance(owner, row.id)
                case Act.BUILD:
                    await self.remote_run_instance(owner, row.id)
                case Act.REBOOT:
                    await self.remote_reboot_instance(owner, row.id)
        except CancelledError:
            raise
        except Exception:
            _log.failure("instance {id} is not settled, yet", id=row.id)


def _let_pass(error: Exception) -> None:
    """What is away comes back, and the work is done then; where nobody ever was, nobody will be."""
    if isinstance(error, Unavailable) and not isinstance(error, Unroutable):
        raise error


def _directories(path: str) -> frozenset[str]:
    with os.scandir(path) as entries:
        return frozenset(each.name for each in entries if each.is_dir(follow_symlinks=False))
