"""
Images of instances: the disk is copied, the guest runs on, the copy is brought to the registry.

The image's row names the work until it is done; whether the guest is off while
its disk is copied, its own row says (C{imaging}).  The copy waits in a file of
the image's name, so that whoever comes back goes on from there, and the guest
is off, or paused, no longer than it takes to make it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx import states
from nova_tx.compute import reasons, transactions
from nova_tx.compute.reconcile import lost
from nova_tx.compute.stage import Stage, let_pass
from nova_tx.compute.switching import Switching
from nova_tx.context import RequestContext
from nova_tx.errors import ImageNotFound, NovaError, Unavailable
from nova_tx.ids import check_image_id
from nova_tx.image.interfaces import IImages
from nova_tx.log import background
from nova_tx.model.images import AwaitedImage
from nova_tx.model.instances import Instance
from nova_tx.once import Once

_log = Logger()

#: Where copies of disks are, beside the guests' directories.
COPIES = "_snapshots"
#: States in which a disk is not worked on by anybody but its guest.
_AT_REST = (states.RUNNING, states.RESCUED, states.SHUTDOWN)
_ENDED = (states.TERMINATING, states.TERMINATED, states.ERROR)


class Imaging:
    """Makes images of instances."""

    def __init__(
        self, stage: Stage, switching: Switching, images: IImages, instances_path: str
    ) -> None:
        self._stage = stage
        self._switching = switching
        self._images = images
        self._path = os.path.join(instances_path, COPIES)
        self._once: Once[None] = Once()
        self._at_work: Counter[str] = Counter()
        #: what was begun without a message
        self._alone: set[Deferred[None]] = set()

    async def create(self, context: RequestContext, instance_id: int, image_id: str) -> None:
        """
        Make an image that was announced of an instance.

        @raise MalformedImageId: it is no image id.
        @raise Unavailable: a part that it needs is away, or the instance is just switched;
            ask again.
        """
        check_image_id(image_id)
        self._at_work[image_id] += 1
        try:
            await self._once.do(image_id, lambda: self._create(context, instance_id, image_id))
        finally:
            self._at_work[image_id] -= 1
            self._at_work += Counter()  # forgets those that are none

    async def go_on(self, waiting: Iterable[AwaitedImage], now: datetime) -> None:
        """Begin what a message was lost of; remove copies that nobody waits for."""
        works = {each.image_id: each for each in waiting}
        for work in works.values():
            if lost(work.since, now) and work.image_id not in self._at_work:
                self._begin(work)
        for name, image_id in await deferToThread(self._copies):
            if image_id not in works and image_id not in self._at_work:
                await self._stage.driver.discard(name, self._file(name, image_id))

    async def close(self) -> None:
        """Leave what was begun; it is in its rows."""
        for each in tuple(self._alone):
            each.cancel()

    def _begin(self, work: AwaitedImage) -> None:
        _log.info("image {id}: the message to make it was lost", id=work.image_id)
        owner = RequestContext(user=work.user_id, project=work.project_id)
        making = self.create(owner, work.instance_id, work.image_id)
        done = background(making, "making an image")
        self._alone.add(done)
        _ = done.addBoth(lambda _: self._alone.discard(done))

    # The work.

    async def _create(self, context: RequestContext, instance_id: int, image_id: str) -> None:
        name = self._stage.places.name(instance_id)
        path = self._file(name, image_id)
        async with self._stage.turn(instance_id):
            instance, carrier, wanted = await self._stage.database.read(
                transactions.look_up_image, instance_id, image_id
            )
            if wanted:
                wanted = await self._copied(context, instance, image_id, path)
            if instance is not None and instance.state_description == states.IMAGING:
                await self._switching.start_again(context, (instance, carrier))
        if wanted:
            await self._brought(context, image_id, path)
        await self._stage.driver.discard(name, path)

    async def _copied(
        self, context: RequestContext, instance: Instance | None, image_id: str, path: str
    ) -> bool:
        """Have a copy of the disk; False, and said so, if there can be none."""
        state = instance.state_description if instance is not None else states.TERMINATED
        if state in _ENDED:
            if os.path.exists(path):
                return True
            await self._abandon(context, image_id, "The instance ended before it was copied")
            return False
        if state not in (*_AT_REST, states.IMAGING):
            raise Unavailable(f"no image is made of an instance that is {state}")
        assert instance is not None
        name = self._stage.places.name(instance.id)
        try:
            await deferToThread(os.makedirs, self._path, 0o700, True)
            if state == states.IMAGING and not os.path.exists(path):
                await self._stage.driver.stop(name)
            directory = self._stage.places.directory(name)
            await self._stage.driver.snapshot(name, directory, path)
        except CancelledError:
            raise
        except Exception as error:
            let_pass(error)
            _log.failure("the disk of instance {id} is not copied", id=instance.id)
            await self._abandon(context, image_id, reasons.not_copied(error))
            return False
        return True

    async def _brought(self, context: RequestContext, image_id: str, path: str) -> None:
        try:
            await self._images.bring(context, image_id, path)
        except CancelledError:
            raise
        except ImageNotFound:
            _log.info("image {id} is not wanted any more", id=image_id)
        except Exception as error:
            let_pass(error)
            _log.failure("image {id} is not stored", id=image_id)
            await self._abandon(context, image_id, reasons.not_copied(error))
        else:
            _log.info("image {id} is there", id=image_id)

    async def _abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        try:
            await self._images.abandon(context, image_id, reason)
        except NovaError as error:
            let_pass(error)
            _log.warn("image {id} can't be given up: {error}", id=image_id, error=error)

    # Files.

    def _file(self, name: str, image_id: str) -> str:
        return os.path.join(self._path, f"{name}.{image_id}")

    def _copies(self) -> list[tuple[str, str]]:
        """The copies that are there, whole or half: the guest's name and the image's id."""
        if not os.path.isdir(self._path):
            return []
        whole = {each.partition("+")[0] for each in os.listdir(self._path)}
        split = (each.rpartition(".") for each in sorted(whole))
        return [(name, image_id) for name, _, image_id in split]
