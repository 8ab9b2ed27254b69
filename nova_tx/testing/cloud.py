"""
A whole cloud in one process: every worker, the bus, rows and images in memory, fake guests.

It is put together by the same hands as the daemons (L{nova_tx.taps}); only the
image service is a dictionary, and nothing listens on a port.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from zope.interface import implementer

from nova_tx.context import RequestContext
from nova_tx.flags import Flags, sections
from nova_tx.image.memory import MemoryImages, machine_image
from nova_tx.model.images import Image
from nova_tx.rpc.interfaces import IRPC, IServing
from nova_tx.taps import compute, network, scheduler
from nova_tx.taps.daemon import Part
from nova_tx.taps.parts import Parts
from nova_tx.testing.database import memory_database

_FLAGS = ("--fake_rabbit", "--connection_type=fake", "--fake_network", "--my_ip=127.0.0.1")


@implementer(IRPC)
class WatchedRPC:
    """A bus that writes down what is sent over another one."""

    def __init__(self, bus: IRPC, story: list[str]) -> None:
        self._bus = bus
        self._story = story

    def open(self) -> Awaitable[None]:
        return self._bus.open()

    def close(self) -> Awaitable[None]:
        return self._bus.close()

    def trouble(self) -> str | None:
        return self._bus.trouble()

    def cast(
        self, context: RequestContext, topic: str, method: str, args: Mapping[str, object]
    ) -> Awaitable[None]:
        self._story.append(f"cast {topic} {method}")
        return self._bus.cast(context, topic, method, args)

    def call(
        self,
        context: RequestContext,
        topic: str,
        method: str,
        args: Mapping[str, object],
        timeout: float | None = None,
    ) -> Awaitable[object]:
        self._story.append(f"call {topic} {method}")
        return self._bus.call(context, topic, method, args, timeout)

    def serve(self, topic: str, host: str, service: object) -> Awaitable[IServing]:
        return self._bus.serve(topic, host, service)


class WatchedImages(MemoryImages):
    """Images, and when one was looked at."""

    def __init__(self, story: list[str]) -> None:
        super().__init__()
        self._story = story

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        self._story.append("GET images")
        return await super().list(context, image_ids)

    async def show(self, context: RequestContext, image_id: str) -> Image:
        self._story.append("GET image")
        return await super().show(context, image_id)


class MemoryCloud:
    """
    All workers and what doors need, as C{parts}.

    @ivar story: what happened, in order: transactions and reads by their
        function's name, casts and calls by topic and method, image look-ups.
    """

    def __init__(self, directory: str, reactor: Any, *flags: str) -> None:
        """
        @param directory: where guests' files go.
        @param flags: what differs from a cloud of fakes on host C{HostA}.
        """
        self.story: list[str] = []
        words = (*_FLAGS, f"--state_path={directory}", "--host=HostA", *flags)
        self.parts = Parts(Flags.load(words, sections()), reactor, None)
        database = memory_database()
        self._watch(database, "run", "transaction")
        self._watch(database, "read", "read")
        self.bus = self.parts.rpc
        self.images = WatchedImages(self.story)
        vars(self.parts).update(
            database=database, rpc=WatchedRPC(self.bus, self.story), images=self.images
        )
        self._opened: list[Part] = []

    def _watch(self, database: object, name: str, what: str) -> None:
        really: Callable[..., Any] = getattr(database, name)

        def watched(fn: Callable[..., Any], *args: object, **kwargs: object) -> Any:
            self.story.append(f"{what} {fn.__name__}")
            return really(fn, *args, **kwargs)

        setattr(database, name, watched)

    def add_image(self, image_id: str = "ami-tiny") -> None:
        """A public machine image to boot."""
        image = machine_image(image_id, "system", is_public=True, state="available")
        self.images.add(image, b"the root disk")

    async def open(self) -> None:
        """Start every worker."""
        for room in (network.room, scheduler.room, compute.room):
            for part in room(self.parts):
                await part.open()
                self._opened.append(part)

    async def close(self) -> None:
        """Stop every worker."""
        while self._opened:
            await self._opened.pop().close()
        await self.parts.database.close()
