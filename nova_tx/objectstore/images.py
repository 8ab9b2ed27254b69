"""The registry of images over HTTP, C{/_images}.                     [spec/04 section 3]"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.s3_payload import Payload
from nova_tx.db import announced_images, image_permissions, images
from nova_tx.db.engine import Database
from nova_tx.errors import (
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
    MissingParameter,
)
from nova_tx.ids import check_image_id
from nova_tx.image.wire import change_from_wire, new_from_wire, tags_from_wire, to_wire
from nova_tx.model.images import Image, ImageChange, ImageSource
from nova_tx.objectstore.answer import Answer, swallow
from nova_tx.objectstore.arrivals import Arrivals
from nova_tx.objectstore.calls import Call, Caller
from nova_tx.objectstore.faults import MethodNotAllowed
from nova_tx.objectstore.registrations import Registrations
from nova_tx.objectstore.request import StreamingRequest
from nova_tx.objectstore.shelf import Shelf
from nova_tx.objectstore.threads import IPool
from nova_tx.operations.images import check_new
from nova_tx.operations.tags import check_tags

#: Where a bucket's name is in other paths; no bucket can be called so.
NAME = "_images"
#: Images whose list takes long enough to be written by a thread.
_MANY = 200
#: Characters that texts of images may have.
_LONGEST = 255
#: Bytes of the longest body but an image's file: all tags that an image may have.
_BODY = 2**17

_Tags = tuple[tuple[str, str], ...]


class Images:
    """C{/_images}, for callers that are known."""

    def __init__(
        self,
        registrations: Registrations,
        arrivals: Arrivals,
        shelf: Shelf,
        users: IUsers,
        database: Database,
        files: IPool,
        bodies: IPool,
    ) -> None:
        self._registrations = registrations
        self._arrivals = arrivals
        self._shelf = shelf
        self._users = users
        self._database = database
        self._files = files
        self._bodies = bodies

    async def serve(
        self, call: Call, caller: Caller, request: StreamingRequest, payload: Payload
    ) -> Answer | None:
        """
        Do what a call asks for; None if the answer was sent already.

        @raise NovaError: it can't be done.
        """
        image_id, _, below = call.key.partition("/")
        if image_id and below == "image" and call.method == "PUT":
            await self._arrivals.receive(caller.context, image_id, request.body, payload)
            return Answer(200)
        content = await swallow(request, payload, _BODY)
        if call.method in ("GET", "HEAD"):
            if image_id:
                await self._send(caller, image_id, request)
                return None
            return await self._list(call, caller)
        if image_id:
            raise MethodNotAllowed("name the image by ?image_id=")
        if call.method == "PUT":
            if "instance_id" in call.query:
                return await self._announce(call, caller, _tags(content))
            return await self._register(call, caller, _tags(content))
        if call.method == "POST":
            if call.query.get("operation") == "abandon":
                await self._arrivals.abandon(
                    caller.context, _needed(call, "image_id"), _needed(call, "reason")
                )
                return Answer(200)
            image_id = _needed(call, "image_id")
            return await self._change(caller, image_id, _wanted(call, content))
        if call.method == "DELETE":
            await self._registrations.remove(caller.context, _needed(call, "image_id"))
            return Answer(204)
        raise MethodNotAllowed(f"{call.method} means nothing for images")

    async def _list(self, call: Call, caller: Caller) -> Answer:
        context = caller.context
        ids = [value for name, value in call.signed.query if name == "image_id"]
        found = await self._database.read(images.listed, context.project, context.is_admin, ids)
        if len(found) < _MANY:
            return _listed(found)
        return await self._files.run(_listed, found)

    async def _send(self, caller: Caller, image_id: str, request: StreamingRequest) -> None:
        context = caller.context
        image = await self._database.read(images.get, context.project, context.is_admin, image_id)
        if image.state != images.AVAILABLE:
            raise ImageUnavailable(f"image {image_id} is {image.state}")
        try:
            file = await self._files.run(open, self._shelf.file(image_id), "rb", buffering=0)
        except FileNotFoundError:
            raise ImageNotFound(f"image {image_id} has lost its file") from None
        with file:
            headers = {"content-type": "application/octet-stream"}
            await request.send_file(200, headers, file, [(0, image.size or 0)], self._bodies)

    async def _register(self, call: Call, caller: Caller, tags: _Tags) -> Answer:
        new = replace(new_from_wire(call.query), tags=tags)
        for text in (_needed(call, "image_location"), new.name, new.description):
            _short(text)
        check_new(new)
        image = await self._registrations.register(caller.context, _needed(call, "image_id"), new)
        return _json(to_wire(image))

    async def _announce(self, call: Call, caller: Caller, tags: _Tags) -> Answer:
        source = ImageSource(
            instance_id=call.number("instance_id", 0),
            kernel_id=call.query.get("kernel_id"),
            ramdisk_id=call.query.get("ramdisk_id"),
            architecture=_needed(call, "architecture"),
            tags=tags,
        )
        await self._database.run(
            announced_images.announce,
            caller.context,
            check_image_id(_needed(call, "image_id")),
            source,
            str(_short(_needed(call, "display_name"))),
            _short(call.query.get("description")),
        )
        return Answer(200)

    async def _change(self, caller: Caller, image_id: str, wanted: ImageChange) -> Answer:
        for text in (wanted.display_name, wanted.description):
            _short(text)
        if wanted.add:
            known = {project.id for project in await self._users.projects()}
            for each in wanted.add:
                if each not in known:
                    raise InvalidLaunchPermission(
                        f'Invalid attribute item value "{each}" for userId item type.'
                    )
        context = caller.context
        image: Image = await self._database.run(
            image_permissions.change, context.project, context.is_admin, image_id, wanted
        )
        return _json(to_wire(image))


def _tags(content: bytes) -> _Tags:
    """The tags that a PUT gives a new image."""
    try:
        found = tags_from_wire(content)
    except (ValueError, TypeError, LookupError) as error:
        raise InvalidInput(f"the body says no tags of an image: {error}") from None
    return tuple(check_tags(found.items()).items())


def _wanted(call: Call, content: bytes) -> ImageChange:
    """What a POST changes: as its body says, or its query, as Bexar's did."""
    if content:
        try:
            return change_from_wire(content)
        except ValueError as error:
            raise InvalidInput(f"the body is no change of an image: {error}") from None
    operation = call.query.get("operation")
    if operation not in (None, "add", "remove"):
        raise InvalidInput("operation is add or remove")
    return ImageChange(
        display_name=call.query.get("display_name"),
        description=call.query.get("description"),
        is_public=None if operation is None else operation == "add",
    )


def _needed(call: Call, name: str) -> str:
    value = call.query.get(name)
    if not value:
        raise MissingParameter(f"?{name}= is missing")
    return value


def _short(text: str | None) -> str | None:
    """A text that the registry has room for."""
    if text is not None and len(text) > _LONGEST:
        raise InvalidInput(f"a text has more than {_LONGEST} characters")
    return text


def _listed(found: Sequence[Image]) -> Answer:
    return _json([to_wire(image) for image in found])


def _json(value: object) -> Answer:
    return Answer(200, {"content-type": "application/json"}, json.dumps(value).encode())
