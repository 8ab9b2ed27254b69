"""Images in the objectstore, over HTTP(S), in the name of the user who asks. [spec/04 section 3]"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from twisted.internet.threads import deferToThread
from zope.interface import implementer

from nova_tx import pem
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.s3_signatures import UNSIGNED, sign
from nova_tx.context import RequestContext
from nova_tx.errors import (
    Duplicate,
    DuplicateImageName,
    ForeignImage,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    InvalidInput,
    InvalidLaunchPermission,
    LockedOut,
    NovaError,
    TooManyTags,
    Unauthorized,
    Unavailable,
)
from nova_tx.flags import S3Flags
from nova_tx.ids import REQUEST_ID_HEADER, new_image_id
from nova_tx.image.exchange import Exchange
from nova_tx.image.interfaces import IImages
from nova_tx.image.sender import FileSender
from nova_tx.image.wire import change_to_wire, from_wire, new_to_wire, tags_to_wire
from nova_tx.model.images import Image, ImageChange, ImageSource, NewImage

#: Bytes of an answer that takes long enough to be read by a thread.
_LONG = 2**16
_TRIES = 3
#: Ids that one request asks for.
_AT_ONCE = 50
#: Characters of a reason that are kept.
_REASON = 1000

#: The objectstore's words for what can go wrong.
_WORDS: dict[str, type[NovaError]] = {
    ImageNotFound.code: ImageNotFound,
    ImageUnavailable.code: ImageUnavailable,
    "ImageAlreadyExists": Duplicate,
    DuplicateImageName.code: DuplicateImageName,
    InvalidLaunchPermission.code: InvalidLaunchPermission,
    "NotImageOwner": ForeignImage,
    TooManyTags.code: TooManyTags,
    # trying again would bring nothing but the same
    "InsufficientStorage": ImageError,
    "AccessDenied": Unauthorized,
    "NoSuchBucket": ImageNotFound,
    "InvalidArgument": InvalidInput,
    "InvalidBucketName": InvalidInput,
    "MissingParameter": InvalidInput,
}


@implementer(IImages)
class ObjectstoreImages:
    """Speaks with nova-objectstore over connections that stay open."""

    names = ("nova.image.s3.S3ImageService", "s3")

    def __init__(self, s3: S3Flags, users: IUsers, reactor: Any) -> None:
        """
        @param users: where the secrets are that requests are signed with.
        """
        self._scheme = s3.s3_scheme
        self._ca = s3.s3_ssl_ca
        self._host = f"{s3.s3_host}:{s3.s3_port}"
        self._users = users
        self._reactor = reactor
        self._exchange = Exchange(reactor, "the image service")

    async def open(self) -> None:
        """
        Know whom to trust; connections are made when they are needed.

        @raise StartupError: the CA's certificate can't be had.
        """
        if self._scheme == "https" and self._ca:
            root = await deferToThread(pem.trust, self._ca, "TLS to the objectstore")
            self._exchange.trust(root)

    async def close(self) -> None:
        """Close the connections that wait for use."""
        await self._exchange.close()

    async def list(
        self, context: RequestContext, image_ids: tuple[str, ...] = ()
    ) -> tuple[Image, ...]:
        ids = sorted(set(image_ids))
        found: list[Image] = []
        for first in range(0, len(ids) or 1, _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            text = await self._read(context, "GET", [("image_id", each) for each in some])
            try:
                if len(text) < _LONG:
                    found += _images(text)
                else:
                    found += await deferToThread(_images, text)
            except (ValueError, TypeError, AttributeError) as error:
                raise Unavailable("the image service does not speak as it should") from error
        return tuple(found)

    async def show(self, context: RequestContext, image_id: str) -> Image:
        found = await self.list(context, (image_id,))
        if not found:
            raise ImageNotFound(f"The image id '{image_id}' does not exist")
        return found[0]

    async def register(self, context: RequestContext, new: NewImage) -> str:
        try:
            return await self._create(context, new_to_wire(new), tags_to_wire(new.tags))
        except Unauthorized:
            # whose the bucket is, is nobody else's business
            raise ImageNotFound(f"there is nothing at {new.location}") from None

    async def announce(
        self, context: RequestContext, source: ImageSource, name: str, description: str | None
    ) -> str:
        said = {
            "instance_id": str(source.instance_id),
            "kernel_id": source.kernel_id,
            "ramdisk_id": source.ramdisk_id,
            "architecture": source.architecture,
            "display_name": name,
            "description": description,
        }
        words = [(word, value) for word, value in said.items() if value is not None]
        return await self._create(context, words, tags_to_wire(source.tags))

    async def _create(
        self, context: RequestContext, said: Sequence[tuple[str, str]], body: bytes
    ) -> str:
        for _ in range(_TRIES):
            image_id = new_image_id()
            try:
                query = [("image_id", image_id), *said]
                await self._exchange.collect(await self._request(context, "PUT", "", query, body))
                return image_id
            except DuplicateImageName:
                raise
            except Duplicate:
                continue
        raise Unavailable("no free image id was found")

    async def bring(self, context: RequestContext, image_id: str, path: str) -> None:
        image = await self.show(context, image_id)
        if image.state == "available" and image.instance_id is not None:
            return
        below = f"/{quote(image_id, safe='')}/image"
        with open(path, "rb", buffering=0) as file:
            sender = FileSender(file, os.fstat(file.fileno()).st_size, self._reactor)
            try:
                response = await self._request(context, "PUT", below, (), sender)
                await self._exchange.collect(response)
            finally:
                await sender.ended()

    async def abandon(self, context: RequestContext, image_id: str, reason: str) -> None:
        query = [("image_id", image_id), ("operation", "abandon"), ("reason", reason[:_REASON])]
        await self._read(context, "POST", query)

    async def change(self, context: RequestContext, image_id: str, wanted: ImageChange) -> None:
        body = json.dumps(change_to_wire(wanted)).encode()
        query = [("image_id", image_id)]
        await self._exchange.collect(await self._request(context, "POST", "", query, body))

    async def deregister(self, context: RequestContext, image_id: str) -> None:
        await self._read(context, "DELETE", [("image_id", image_id)])

    async def fetch(self, context: RequestContext, image_id: str, path: str) -> int:
        response = await self._request(context, "GET", f"/{quote(image_id, safe='')}/image", ())
        return await self._exchange.save(response, path)

    async def _read(
        self, context: RequestContext, method: str, query: Sequence[tuple[str, str]]
    ) -> bytes:
        return await self._exchange.collect(await self._request(context, method, "", query))

    async def _request(
        self,
        context: RequestContext,
        method: str,
        below: str,
        query: Sequence[tuple[str, str]],
        body: FileSender | bytes = b"",
    ) -> Any:
        """
        The response, whose body is still to be read.

        @raise NovaError: the objectstore refused, or does not answer.
        """
        if context.user is None or context.project is None:
            raise Unauthorized("images are asked for in a user's name")
        membership = await self._users.member(context.user, context.project)
        path = f"/_images{below}"
        headers = sign(
            method,
            self._host,
            path,
            query,
            f"{membership.user.access_key}:{membership.project.id}",
            membership.user.secret_key,
            datetime.fromtimestamp(self._reactor.seconds(), UTC),
            hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else UNSIGNED,
        )
        headers[REQUEST_ID_HEADER] = context.request_id
        words = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
        url = f"{self._scheme}://{self._host}{path}" + (f"?{words}" if words else "")
        response = await self._exchange.ask(method, url, headers, body)
        if response.code >= 400:
            raise _error(response.code, await self._exchange.collect(response))
        return response


def _images(text: bytes) -> Sequence[Image]:
    return [from_wire(each) for each in json.loads(text)]


def _error(status: int, body: bytes) -> NovaError:
    """What the objectstore's XML says went wrong."""
    words = {}
    for tag in ("Code", "Message"):
        found = re.search(rf"<{tag}>([^<]*)</{tag}>".encode(), body)
        words[tag] = unescape(found[1].decode("utf-8", "replace")) if found else ""
    kind = _WORDS.get(words["Code"], Unavailable if status >= 500 else ImageError)
    if words["Message"] == str(LockedOut()):
        kind = Unavailable  # who locks a user's key holds the user's instances up, and fails none
    return kind(words["Message"] or f"the image service answered {status}")
