"""
What all that is done to the instances of a host has in common: row, turn, guest.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import transactions
from nova_tx.compute.guest import Places, guest, image_ids
from nova_tx.compute.image_cache import ImageCache
from nova_tx.compute.sightings import Sightings
from nova_tx.context import RequestContext
from nova_tx.db.engine import Database
from nova_tx.errors import InstanceNotFound, Unavailable, Unroutable, WrongState
from nova_tx.model.guests import BootFiles, GuestSpec
from nova_tx.model.instances import Instance
from nova_tx.network.client import NetworkClient
from nova_tx.network.fabric.interfaces import IFabric
from nova_tx.virt.interfaces import IVirtDriver

_log = Logger()


class Stage:
    """
    The parts of a compute host, and what every story about an instance begins and ends with.

    @ivar host: its name, as rows have it.
    """

    def __init__(
        self,
        database: Database,
        network: NetworkClient,
        driver: IVirtDriver,
        fabric: IFabric,
        cache: ImageCache,
        sightings: Sightings,
        places: Places,
        host: str,
        interface: str | None,
        minimum_root_size: int,
        null_kernel: str,
    ) -> None:
        """
        @param fabric: makes the bridges that guests are put into.
        @param interface: what is put into those bridges.
        """
        self.database = database
        self.network = network
        self.driver = driver
        self.places = places
        self.host = host
        self.null_kernel = null_kernel
        self.sightings = sightings
        self._fabric = fabric
        self._cache = cache
        self._interface = interface
        self._minimum_root_size = minimum_root_size

    def turn(self, instance_id: int) -> AbstractAsyncContextManager[None]:
        """The turn to work on an instance, one at a time."""
        return self.sightings.turn(instance_id)

    async def looked_up(self, instance_id: int, state: str) -> tuple[Instance, str | None] | None:
        """The row and the host that carries its network, if the row is in C{state}."""
        try:
            found = await self.database.read(transactions.look_up, instance_id)
        except InstanceNotFound:
            found = None
        if found is None or found[0].state_description != state:
            _log.info("instance {id} is not {state} any more", id=instance_id, state=state)
            return None
        return found

    async def moved(self, instance_id: int, event: states.Move, **columns: object) -> bool:
        """Make a move; False if the instance was in another state by then."""
        try:
            await self.database.run(transactions.move, instance_id, event, columns)
        except WrongState as error:
            _log.info("{error}", error=error)
            return False
        return True

    async def files(
        self, context: RequestContext, image: str, kernel: str | None, ramdisk: str | None
    ) -> BootFiles:
        """
        Files on this host of an image and what it boots with.

        @raise NovaError: as L{ImageCache.file}.
        """
        return BootFiles(
            await self._cache.file(context, image),
            await self._cache.file(context, kernel) if kernel else None,
            await self._cache.file(context, ramdisk) if ramdisk else None,
        )

    async def spec(
        self, context: RequestContext, instance: Instance, carrier: str | None
    ) -> GuestSpec:
        """
        Everything a guest needs: its address, its bridge, its images on this host.

        @param carrier: the host that carries its network.
        """
        nic = await self.network.allocate_fixed_ip(context, carrier, instance.id)
        await self._fabric.ensure_bridge(nic.bridge, self._interface)
        files = await self.files(context, *image_ids(instance, self.null_kernel))
        return guest(instance, nic, files, self.places, self._minimum_root_size)


def let_pass(error: Exception) -> None:
    """What is away comes back, and the work is done then; where nobody ever was, nobody will be."""
    if isinstance(error, Unavailable) and not isinstance(error, Unroutable):
        raise error
