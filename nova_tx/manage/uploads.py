"""A file's way into the registry of images: uploaded in its owner's name, registered, removed."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from twisted.internet.task import deferLater

from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.s3_signatures import UNSIGNED, sign
from nova_tx.bar import Bar
from nova_tx.context import RequestContext
from nova_tx.errors import ImageError, InvalidInput, NovaError
from nova_tx.flags import S3Flags
from nova_tx.image.exchange import Exchange
from nova_tx.image.objectstore import ObjectstoreImages
from nova_tx.image.sender import FileSender
from nova_tx.model.images import ImageChange, NewImage

#: Seconds between two looks at an image that is being made.
_PAUSE = 0.2


@dataclass(frozen=True)
class File:
    """
    What is to be an image.

    @ivar owner: the project that it is to be.
    @ivar kernel_id: as L{NewImage}'s; C{ramdisk_id}, too.
    """

    path: str
    owner: str
    name: str = ""
    is_public: bool = True
    architecture: str = "x86_64"
    kernel_id: str | None = None
    ramdisk_id: str | None = None


class Uploads:
    """Speaks with nova-objectstore."""

    def __init__(self, s3: S3Flags, users: IUsers, reactor: Any, patience: float) -> None:
        """
        @param patience: seconds until a person is told how far it is.
        """
        self._host = f"{s3.s3_host}:{s3.s3_port}"
        self._users = users
        self._reactor = reactor
        self._patience = patience
        self._images = ObjectstoreImages(s3, users, reactor)
        self._exchange = Exchange(reactor, "nova-objectstore")

    async def close(self) -> None:
        """Close the connections that wait for use."""
        await self._images.close()
        await self._exchange.close()

    async def register(self, file: File) -> str:
        """
        Make an image of a file; returns its id once it is available.

        @raise InvalidInput: the file can't be read.
        @raise NovaError: its project is not there, or the objectstore refuses.
        @raise ImageError: the file can be no image.
        """
        project = await self._users.project(file.owner)
        context = RequestContext(user=project.manager, project=project.id)
        async with self._uploaded(context, file.path) as location:
            new = NewImage(
                location,
                file.name,
                architecture=file.architecture,
                kernel_id=file.kernel_id,
                ramdisk_id=file.ramdisk_id,
            )
            image_id = await self._images.register(context, new)
            await self._made(context, image_id)
        if file.is_public:
            await self._images.change(context, image_id, ImageChange(is_public=True))
        return image_id

    async def _made(self, context: RequestContext, image_id: str) -> None:
        bar = Bar("making", 100, patience=self._patience)
        try:
            while True:
                image = await self._images.show(context, image_id)
                if image.state == "available":
                    return
                if image.state == "failed":
                    await self._images.deregister(context, image_id)
                    raise ImageError(image.state_reason or "it could not be made")
                bar.show(image.progress or 0)
                await deferLater(self._reactor, _PAUSE)
        finally:
            bar.end()

    @asynccontextmanager
    async def _uploaded(self, context: RequestContext, path: str) -> AsyncIterator[str]:
        """The file's location in a bucket of its own, as long as it is needed."""
        bucket = f"nova-manage-{secrets.token_hex(8)}"
        key = f"{bucket}/{quote(os.path.basename(path), safe='')}"
        with _readable(path) as file:
            size = os.fstat(file.fileno()).st_size
            await self._ask(context, "PUT", bucket)
            try:
                bar = Bar("uploading", size, patience=self._patience)
                sender = FileSender(file, size, self._reactor)
                sender.moved = lambda: bar.show(size - sender.left)
                try:
                    await self._ask(context, "PUT", key, sender)
                finally:
                    await sender.ended()
                    bar.end()
                yield f"{bucket}/{os.path.basename(path)}"
            finally:
                with suppress(NovaError):  # what went wrong before is what counts
                    await self._ask(context, "DELETE", key)
                    await self._ask(context, "DELETE", bucket)

    async def _ask(
        self, context: RequestContext, method: str, path: str, body: FileSender | bytes = b""
    ) -> None:
        member = await self._users.member(str(context.user), str(context.project))
        headers = sign(
            method,
            self._host,
            f"/{path}",
            (),
            f"{member.user.access_key}:{member.project.id}",
            member.user.secret_key,
            datetime.fromtimestamp(self._reactor.seconds(), UTC),
            hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else UNSIGNED,
        )
        url = f"http://{self._host}/{path}"
        response = await self._exchange.ask(method, url, headers, body)
        text = await self._exchange.collect(response)
        if response.code >= 400 and not (method == "DELETE" and response.code == 404):
            raise ImageError(f"nova-objectstore refused: {_message(text) or response.code}")


def check_readable(path: str) -> None:
    """
    See that a file can be opened.

    @raise InvalidInput: it can't.
    """
    with _readable(path):
        pass


def _readable(path: str) -> BinaryIO:
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise InvalidInput(f"can't read {path}: {error.strerror}") from None


def _message(text: bytes) -> str:
    _, _, rest = text.partition(b"<Message>")
    return rest.partition(b"</Message>")[0].decode("utf-8", "replace")
