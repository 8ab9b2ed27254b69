"""The end of registrations whose images do not stay here: a depot takes them over."""

from __future__ import annotations

from collections.abc import Awaitable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from nova_tx.db import images
from nova_tx.db.engine import Database
from nova_tx.errors import NovaError, Unavailable
from nova_tx.image.interfaces import IDepot
from nova_tx.objectstore.conversion import Stopped

_log = Logger()

#: Seconds until a depot that was away is asked again.
PAUSE = 5.0


class Handover:
    """Gives images to a depot, as often as it takes."""

    def __init__(self, depot: IDepot, database: Database, clock: IReactorTime) -> None:
        self._depot = depot
        self._database = database
        self._clock = clock
        self._stopping = False
        self._under_way: set[Deferred[None]] = set()

    def start(self) -> None:
        """Begin to work."""
        self._stopping = False

    def stop(self) -> None:
        """Break off what is under way."""
        self._stopping = True
        for each in tuple(self._under_way):
            each.cancel()

    async def hand_over(self, image_id: str, path: str) -> None:
        """
        Have an image that is C{uploading} taken over, with its file at C{path}.

        @raise ImageNotFound, ImageError: it can't be, or is not wanted any more.
        @raise Stopped: the daemon ends.
        """
        while True:
            image = await self._database.read(images.get, None, True, image_id)
            if self._stopping:
                raise Stopped
            try:
                return await self._await(self._depot.take(image, path))
            except Unavailable as error:
                _log.warn("image {id} is handed over later: {why}", id=image_id, why=str(error))
            await self._await(deferLater(self._clock, PAUSE))

    async def _await(self, work: Awaitable[None]) -> None:
        async def awaited() -> None:
            await work

        under_way = Deferred.fromCoroutine(awaited())
        self._under_way.add(under_way)
        try:
            await under_way
        except Exception:  # not each layer says CancelledError when it is cancelled
            if self._stopping:
                raise Stopped from None
            raise
        finally:
            self._under_way.discard(under_way)

    async def discard(self, image_id: str) -> bool:
        """
        Have the depot keep nothing of an image that is hidden, or failed.

        Returns whether that was done; what is left goes when the image is removed.
        """
        try:
            await self._depot.discard(image_id)
        except NovaError as error:
            _log.warn("image {id} is forgotten later: {why}", id=image_id, why=str(error))
            return False
        return True
