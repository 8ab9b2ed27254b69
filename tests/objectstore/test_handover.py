"""The end of registrations: offered again while the depot is away, later when we end."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, DNSLookupError
from twisted.internet.task import Clock
from zope.interface import implementer

from nova_tx.db import images
from nova_tx.errors import ImageError, Unavailable
from nova_tx.image.interfaces import IDepot
from nova_tx.model.images import Image, NewImage
from nova_tx.objectstore.conversion import Stopped
from nova_tx.objectstore.handover import PAUSE, Handover
from nova_tx.testing.database import memory_database

IMAGE = "ami-00000001"
LOCATION = "bucket/disk.manifest.xml"


@implementer(IDepot)
class Depot:
    """
    Takes an image in the next of its C{answers}.

    @ivar taken: the paths it was offered.
    """

    def __init__(self, *answers: Deferred[None]) -> None:
        self._answers = list(answers)
        self.taken: list[str] = []

    async def take(self, image: Image, path: str) -> None:
        self.taken.append(path)
        await self._answers.pop(0)

    async def discard(self, image_id: str) -> None:
        raise Unavailable("it is away")


def _says(error: Exception) -> Deferred[None]:
    """Answers with an error when it is cancelled, as layers do that have their own words for it."""
    return Deferred(lambda asked: asked.errback(error))


async def _handover(depot: Depot, clock: Clock) -> Handover:
    database = memory_database()
    new = NewImage(LOCATION)
    await database.run(images.register, IMAGE, "joe", "joe", new)
    return Handover(depot, database, clock)


def _handed(handover: Handover) -> Deferred[None]:
    return Deferred.fromCoroutine(handover.hand_over(IMAGE, "/disk"))


async def test_taken() -> None:
    """An image is handed over when the depot has it."""
    answer: Deferred[None] = Deferred()
    depot = Depot(answer)
    handed = _handed(await _handover(depot, Clock()))
    assert not handed.called
    answer.callback(None)
    await handed
    assert depot.taken == ["/disk"]


async def test_depot_away() -> None:
    """A depot that is away is offered the image again after a pause."""
    clock = Clock()
    depot = Depot(fail(Unavailable("it is away")), succeed(None))
    handed = _handed(await _handover(depot, clock))
    clock.advance(PAUSE - 1)
    assert depot.taken == ["/disk"]
    clock.advance(1)
    await handed
    assert depot.taken == ["/disk"] * 2


async def test_refused() -> None:
    """What the depot refuses is refused, while this daemon runs."""
    with pytest.raises(ImageError, match="too big"):
        await _handed(await _handover(Depot(fail(ImageError("too big"))), Clock()))


@pytest.mark.parametrize(
    "error", [CancelledError(), DNSLookupError(), ConnectionAborted(), ImageError("cut")]
)
async def test_stopped(error: Exception) -> None:
    """An end of the daemon is no fault of the image, whatever a layer calls it."""
    handover = await _handover(Depot(_says(error)), Clock())
    handed = _handed(handover)
    handover.stop()
    with pytest.raises(Stopped):
        await handed


async def test_stopped_in_a_pause() -> None:
    """An end of the daemon ends the wait for a depot that is away."""
    handover = await _handover(Depot(fail(Unavailable("it is away"))), Clock())
    handed = _handed(handover)
    handover.stop()
    with pytest.raises(Stopped):
        await handed


async def test_begins_nothing_when_stopped() -> None:
    """A daemon that ends offers nothing any more; one that started again does."""
    depot = Depot(succeed(None))
    handover = await _handover(depot, Clock())
    handover.stop()
    with pytest.raises(Stopped):
        await _handed(handover)
    assert depot.taken == []
    handover.start()
    await _handed(handover)
    assert depot.taken == ["/disk"]


async def test_discarded_later() -> None:
    """It is said that a depot that is away did not discard an image."""
    assert not await (await _handover(Depot(), Clock())).discard(IMAGE)
