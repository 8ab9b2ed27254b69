"""
What guests do by themselves, as the hypervisor tells of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nova_tx.compute.guest import Places
from nova_tx.compute.turns import Turns
from nova_tx.states import Power

_GONE = (Power.SHUTOFF, Power.CRASHED)


class Sightings:
    """
    Guests that ended: each is a reason to look at rows and guests, now or when the
    work on its instance is done.

    @ivar itself: instances whose guest switched itself off, and has not run since.
    """

    def __init__(self, turns: Turns, places: Places, look: Callable[[], None]) -> None:
        self._turns = turns
        self._places = places
        self._look = look
        self.itself: set[int] = set()
        #: instances that are worked on, and whose guest ended meanwhile
        self._ended: set[int] = set()

    def seen(self, name: str, power: Power) -> None:
        """The hypervisor tells of a guest."""
        instance_id = self._places.instance_id(name)
        if instance_id is None:
            return
        if power == Power.SHUTDOWN:
            self.itself.add(instance_id)
        elif power not in _GONE:
            self.forget(instance_id)
        elif self._turns.taken(instance_id):
            self._ended.add(instance_id)
        else:
            self._look()

    def forget(self, instance_id: int) -> None:
        """What was seen of an instance means nothing any more."""
        self._ended.discard(instance_id)
        self.itself.discard(instance_id)

    @asynccontextmanager
    async def turn(self, instance_id: int) -> AsyncIterator[None]:
        """The turn to work on an instance; if its guest ended meanwhile, look again after it."""
        async with self._turns.of(instance_id):
            yield
        if instance_id in self._ended:
            self._ended.discard(instance_id)
            self._look()
