"""How an image gets to Glance, is changed there, and goes, in the name of its owner."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from nova_tx.errors import (
    Duplicate,
    ImageError,
    ImageNotFound,
    Unauthorized,
    Unavailable,
    WrongState,
)
from nova_tx.image import glance_wire as wire
from nova_tx.image.glance_client import Asker, Glance
from nova_tx.image.glance_ids import to_uuid
from nova_tx.image.glance_wire import Said
from nova_tx.model.images import Image

T = TypeVar("T")
_log = Logger()

#: Requests that one question makes to Glance at once.
_AT_ONCE = 10
#: Seconds in which Glance ends an upload whose sender is gone; if it does not, it has lost it.
LOST_AFTER = 600.0
_WITH_FILE = ("active", "deactivated")


class GlanceDelivery:
    """What this cloud does in Glance; it has seen to it that who asks for it may do that."""

    def __init__(self, glance: Glance, clock: IReactorTime) -> None:
        self._glance = glance
        self._clock = clock
        #: since when each image is in Glance what it can't be for long
        self._waited_for: dict[str, float] = {}

    async def discard(self, image_id: str, owner: str) -> None:
        """Keep nothing of an image, if it is its owner's; who protects it in Glance keeps it."""
        uuid = to_uuid(image_id)
        said = None if uuid is None else await self._glance.get(_ours(owner), uuid)
        if said is None or said.get("owner") != owner:
            return
        try:
            await self.remove(said)
        except (Unauthorized, WrongState) as error:
            _log.warn("image {id} stays in Glance: {why}", id=image_id, why=str(error))

    async def remove(self, said: Said) -> None:
        """Remove an image; nothing if it is gone."""
        try:
            await self._glance.delete(_ours(said["owner"]), said["id"])
        except ImageNotFound:
            pass

    async def deliver(self, image: Image, path: str) -> bool:
        """
        Have an image in Glance, with its file and all that is known of it; nobody else does so.

        Returns whether the file was uploaded now: it may have been there.

        @raise ImageError: Glance does not take it, now and later.
        """
        uuid, who = to_uuid(image.id), _ours(image.owner)
        if uuid is None:
            raise ImageError(f"no image in Glance can be called {image.id}")
        try:
            said = await self._glance.get(who, uuid)
            if said is None:
                said = await self._glance.create(who, wire.new(image))
            elif said.get("owner") != image.owner:
                raise _lost(image)
            self._look(image, said)
            uploaded = said.get("status") == "queued"
            if uploaded:
                await self._glance.upload(who, uuid, path)
                said = await self._glance.get(who, uuid) or {}
            if said.get("status") not in _WITH_FILE:
                raise Unavailable(f"image {image.id} is {said.get('status')} in Glance")
            await self._glance.check(said, path)
            await self.write(said, wire.write(image))
        except (Duplicate, ImageNotFound):
            raise _lost(image) from None
        except WrongState as error:
            raise Unavailable(str(error)) from None
        except Unauthorized as error:
            raise ImageError(str(error)) from None
        return uploaded

    def _look(self, image: Image, said: Said) -> None:
        """
        See that nothing is under way in Glance of an upload of ours that broke off.

        Glance has such an image C{queued} again as soon as it sees that, or C{active} if all
        had come.  One in which Glance itself was ended is C{saving} for ever, and never takes
        another file.

        @raise Unavailable: something is.
        @raise ImageError: it is lost.
        """
        status = said.get("status")
        if status in ("queued", *_WITH_FILE):
            self._waited_for.pop(image.id, None)
            return
        now = self._clock.seconds()
        if now - self._waited_for.setdefault(image.id, now) < LOST_AFTER:
            raise Unavailable(f"image {image.id} is {status} in Glance")
        del self._waited_for[image.id]
        raise _lost(image)

    async def write(self, said: Said, wanted: dict[str, Any]) -> None:
        """
        Make of an image in Glance what is wanted.

        Members are who may launch a shared image: those who may not any more go first, new
        ones come last.  An image that is not shared keeps its members, and nobody counts them.

        @raise WrongState: it was changed meanwhile.
        """
        who, uuid = _ours(said["owner"]), said["id"]
        launchers = wanted.get(wire.PROJECTS)
        changes = wire.patch(said, wanted)
        if changes:
            if launchers is not None:
                await self._unshare(said, set(json.loads(launchers)))
            said = await self._glance.patch(who, uuid, changes)
        if launchers is not None and said.get("visibility") == wire.SHARED:
            needed = set(json.loads(launchers))
            there = await self._unshare(said, needed)
            await together(self._glance.share(who, uuid, each) for each in needed - there)

    async def _unshare(self, said: Said, needed: set[str]) -> set[str]:
        """Have a shared image's members be of these only; returns which of them are."""
        if said.get("visibility") != wire.SHARED:
            return set()
        who, uuid = _ours(said["owner"]), said["id"]
        there = set(await self._glance.members(who, uuid))
        await together(self._glance.unshare(who, uuid, each) for each in there - needed)
        return there & needed


def _ours(owner: str) -> Asker:
    """This cloud itself, which has seen to it that who asks may do that."""
    return Asker("nova", owner, True)


def _lost(image: Image) -> ImageError:
    """What is said of an image whose UUID is used up."""
    return ImageError(
        f"Glance takes image {image.id} no more: an upload of it was lost there, or it was "
        "removed, or another has its id; make the image anew"
    )


async def together(works: Iterable[Awaitable[T]]) -> list[T]:
    """What they come to, some at once; the first failure is raised as it is."""
    some = DeferredSemaphore(_AT_ONCE)

    async def one(work: Awaitable[T]) -> T:
        async with some:
            return await work

    try:
        return await gatherResults(
            [Deferred.fromCoroutine(one(each)) for each in works], consumeErrors=True
        )
    except FirstError as first:
        error = first.subFailure.value
        assert error is not None
        raise error from None
