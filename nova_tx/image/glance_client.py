"""Glance's API, version 2: its requests, one by one.             [Glance, "Image API v2"]"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from nova_tx.context import RequestContext
from nova_tx.errors import (
    Duplicate,
    ImageError,
    ImageNotFound,
    ImageUnavailable,
    Unauthorized,
    Unavailable,
    WrongState,
)
from nova_tx.flags import GlanceFlags
from nova_tx.image.exchange import Exchange
from nova_tx.image.glance_wire import Said
from nova_tx.image.sender import FileSender

_log = Logger()

#: Images of one answer; Glance gives fewer if it likes.
PAGE = 1000
_JSON = "application/json"
_PATCH = "application/openstack-images-v2.1-json-patch"
_BYTES = "application/octet-stream"
_PIECE = 2**20


@dataclass(frozen=True)
class Asker:
    """
    In whose name Glance is asked.

    @ivar admin: by who may do what only administrators may, such as opening an image to all.
    """

    user: str
    project: str
    admin: bool = False


def asker(context: RequestContext) -> Asker:
    """
    Who asks.

    @raise Unauthorized: nobody does.
    """
    if context.user is None or context.project is None:
        raise Unauthorized("images are asked for in a user's name")
    return Asker(context.user, context.project, context.is_admin)


class Glance:
    """
    Speaks with Glance, and believes no file that has not the digest that was told.

    Each of its methods raises L{Unavailable} if Glance does not answer as it should.

    @ivar believes: whether Glance goes by who asks, and not by a token.
    """

    def __init__(self, flags: GlanceFlags, reactor: Any) -> None:
        self._place = f"{flags.glance_scheme}://{flags.glance_host}:{flags.glance_port}"
        self._token = flags.glance_auth_token
        self.believes = not self._token
        self._exchange = Exchange(reactor, "Glance")

    async def close(self) -> None:
        """Close the connections that wait for use."""
        await self._exchange.close()

    async def list(self, asker: Asker, **filters: str) -> list[Said]:
        """The images that the asker may see, also those that it was not asked whether it wants."""
        filters = {"limit": str(PAGE), "member_status": "all", **filters}
        path: str | None = f"/v2/images?{urlencode(filters)}"
        found: list[Said] = []
        while path is not None:
            answer = await self._json(asker, "GET", path)
            found += _member(answer, "images", list)
            path = answer.get("next")
            if path is not None and not re.match(r"/v2/images\?", str(path)):
                raise _strange(path)
        return found

    async def get(self, asker: Asker, uuid: str) -> Said | None:
        """One image; None if there is none that the asker may see."""
        try:
            return await self._json(asker, "GET", _at(uuid))
        except ImageNotFound:
            return None

    async def create(self, asker: Asker, said: Said) -> Said:
        """
        Make an image without a file.

        @raise Duplicate: there is, or was, one of its id.
        @raise ImageError, Unauthorized: Glance does not take it.
        """
        try:
            return await self._json(asker, "POST", "/v2/images", dict(said))
        except WrongState as error:
            raise Duplicate(str(error)) from None

    async def patch(self, asker: Asker, uuid: str, changes: Sequence[Mapping[str, Any]]) -> Said:
        """
        Change an image: all of it, or nothing.

        @raise ImageNotFound: it is gone.
        @raise WrongState: it was changed meanwhile.
        @raise ImageError, Unauthorized: Glance does not take it.
        """
        return await self._json(asker, "PATCH", _at(uuid), list(changes), _PATCH)

    async def delete(self, asker: Asker, uuid: str) -> None:
        """
        Remove an image.

        @raise ImageNotFound: it is gone.
        @raise WrongState, Unauthorized: it is in use, or protected.
        """
        await self._read(asker, "DELETE", _at(uuid))

    async def members(self, asker: Asker, uuid: str) -> tuple[str, ...]:
        """
        The projects that a shared image is shared with.

        @raise ImageNotFound: it is gone.
        """
        answer = await self._json(asker, "GET", f"{_at(uuid)}/members")
        return tuple(str(each.get("member_id")) for each in _member(answer, "members", list))

    async def share(self, asker: Asker, uuid: str, project: str) -> None:
        """Share a shared image with a project, also if it is already."""
        try:
            await self._json(asker, "POST", f"{_at(uuid)}/members", {"member": project})
        except WrongState:
            pass

    async def unshare(self, asker: Asker, uuid: str, project: str) -> None:
        """Share an image with a project no more, also if it is not."""
        try:
            await self._read(asker, "DELETE", f"{_at(uuid)}/members/{quote(project, safe='')}")
        except ImageNotFound:
            pass

    async def upload(self, asker: Asker, uuid: str, path: str) -> None:
        """
        Give an image its file.

        @raise ImageNotFound: it is gone.
        @raise WrongState: it has one, or just gets one.
        @raise ImageError, Unauthorized: Glance does not take it.
        """
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            sender = FileSender(file, size, self._exchange.reactor)
            try:
                await self._read(asker, "PUT", f"{_at(uuid)}/file", sender, _BYTES)
            finally:
                await sender.ended()

    async def download(self, asker: Asker, said: Said, path: str) -> int:
        """
        Write the file of an image; returns its size.

        @raise ImageNotFound, ImageUnavailable: it is gone, or is not given away.
        @raise ImageError: what came is not its file.
        """
        try:
            response = await self._ask(asker, "GET", f"{_at(said['id'])}/file")
        except Unauthorized as error:
            raise ImageUnavailable(str(error)) from None
        if response.code != 200:
            await self._exchange.collect(response)
            raise ImageUnavailable("the image has no file in Glance")
        size = await self._exchange.save(response, path)
        await self.check(said, path)
        return size

    async def check(self, said: Said, path: str) -> None:
        """
        See that a file is an image's.

        @raise ImageError: it is not.
        """
        if said.get("size") not in (None, os.path.getsize(path)):
            raise ImageError(f"the file has {os.path.getsize(path)} bytes, not {said['size']}")
        algorithm, value = said.get("os_hash_algo"), said.get("os_hash_value")
        if not (value and algorithm in hashlib.algorithms_available):
            algorithm, value = "md5", said.get("checksum")
        if value and value != await deferToThread(_digest, path, str(algorithm)):
            raise ImageError(f"the file does not have the {algorithm} that Glance tells")

    # HTTP.

    async def _json(
        self, asker: Asker, method: str, path: str, content: object = None, kind: str = _JSON
    ) -> dict[str, Any]:
        body = b"" if content is None else json.dumps(content).encode()
        text = await self._read(asker, method, path, body, kind)
        try:
            answer = json.loads(text)
        except ValueError:
            raise _strange("no JSON") from None
        if not isinstance(answer, dict):
            raise _strange("no object")
        return answer

    async def _read(
        self,
        asker: Asker,
        method: str,
        path: str,
        body: FileSender | bytes = b"",
        kind: str = _JSON,
    ) -> bytes:
        return await self._exchange.collect(await self._ask(asker, method, path, body, kind))

    async def _ask(
        self,
        asker: Asker,
        method: str,
        path: str,
        body: FileSender | bytes = b"",
        kind: str = _JSON,
    ) -> Any:
        headers = {**self._name(asker), "accept": "*/*"}
        if body:
            headers["content-type"] = kind
        response = await self._exchange.ask(method, self._place + path, headers, body)
        if response.code >= 300:
            text = _words(await self._exchange.collect(response))
            _log.info(
                "Glance answered {method} {path} with {code}: {text}",
                **{"method": method, "path": path, "code": response.code, "text": text},
            )
            raise _error(response.code, text)
        return response

    def _name(self, asker: Asker) -> dict[str, str]:
        """Headers that say who asks."""
        if not self.believes:
            return {"x-auth-token": self._token}
        return {
            "x-identity-status": "Confirmed",
            "x-user-id": asker.user,
            "x-project-id": asker.project,
            "x-tenant-id": asker.project,
            "x-roles": "admin,member,reader" if asker.admin else "member,reader",
        }


def _at(uuid: str) -> str:
    return f"/v2/images/{quote(uuid, safe='')}"


def _member(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    found = answer.get(name)
    if not isinstance(found, kind) or not all(isinstance(each, dict) for each in cast(Any, found)):
        raise _strange(name)
    return found


def _strange(what: object) -> Unavailable:
    return Unavailable(f"Glance does not speak as it should: {what}")


def _words(body: bytes) -> str:
    """What an answer says to people."""
    text = re.sub(r"<title>.*?</title>|<h1>.*?</h1>|<[^>]*>", " ", body.decode("utf-8", "replace"))
    return " ".join(text.split())[:300]


def _error(status: int, text: str) -> Exception:
    if status in (404, 410):
        return ImageNotFound("Glance does not have the image")
    if status == 409:
        return WrongState(f"Glance refused: {text}")
    if status == 401:
        return Unavailable("Glance does not let this cloud in")
    if status == 403:
        return Unauthorized(f"Glance refused: {text}")
    if status >= 500 or status in (408, 429) or status < 400:
        return Unavailable(f"Glance answered {status}")
    return ImageError(f"Glance refused: {text}")


def _digest(path: str, algorithm: str) -> str:
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
