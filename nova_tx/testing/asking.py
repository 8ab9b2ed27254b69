"""Requests to an objectstore in this process, as they are on the wire: for tests."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import treq
from twisted.web.client import Agent, FileBodyProducer
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from nova_tx.auth.s3_signatures import UNSIGNED, S3Request, v2_signature
from nova_tx.auth.signatures import V4_ALGORITHM, v4_signature
from nova_tx.db.engine import Database
from nova_tx.testing.objectstore import RunningObjectstore, running_objectstore

_SCOPE = "{}/nova/s3/aws4_request"


@dataclass(frozen=True)
class Told:
    """
    An answer.

    @ivar headers: by lower-case name.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> ElementTree.Element:
        """Its document, without namespaces."""
        root = ElementTree.fromstring(self.body)
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]
        return root

    def texts(self, path: str) -> list[str]:
        """The texts of some elements of its document."""
        return [each.text or "" for each in self.xml.findall(path)]

    @property
    def members(self) -> dict[str, str]:
        """The outermost elements of its document that have a text."""
        return {each.tag: each.text or "" for each in self.xml if not len(each)}

    @property
    def code(self) -> tuple[int, str]:
        """Its status, and the code of the failure that it tells; "" for none."""
        failed = self.status >= 400 and self.body
        return self.status, self.members["Code"] if failed else ""


class Asker:
    """
    A client that sends what it is told to.

    @ivar agent: how it is sent.
    """

    def __init__(self, running: RunningObjectstore, reactor: Any) -> None:
        self.running = running
        self.agent: Any = Agent(reactor)

    async def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        *,
        user: str = "joe",
        old: bool = False,
        untold: bool = False,
        **headers: str,
    ) -> Told:
        """
        An answer.

        @param target: path and query, percent-encoded.
        @param user: who asks; "" for anybody.
        @param old: sign by version 2.
        @param untold: do not say how long the body is.
        @param headers: with C{_} for C{-}; those that are not ASCII go as UTF-8.
        """
        path, _, query = target.partition("?")
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["host"] = f"127.0.0.1:{self.running.port}"
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        sign = _sign_v2 if old else _sign_v4
        if user:
            fields.update(sign(user, S3Request(method, path, pairs, fields)))
        producer: Any = None if body is None else FileBodyProducer(BytesIO(body))
        if untold:
            producer.length = UNKNOWN_LENGTH
        answer = await self.agent.request(
            method.encode(),
            f"http://{fields.pop('host')}{target}".encode(),
            Headers({name.encode(): [value.encode()] for name, value in fields.items()}),
            producer,
        )
        found = {
            name.decode().lower(): b",".join(values).decode()
            for name, values in answer.headers.getAllRawHeaders()
        }
        return Told(answer.code, found, await treq.content(answer))


def _sign_v2(user: str, request: S3Request) -> dict[str, str]:
    fields = {**request.headers, "date": formatdate(usegmt=True)}
    signature = v2_signature(
        f"{user}-secret", S3Request(request.method, request.path, request.query, fields)
    )
    return {**fields, "authorization": f"AWS {user}-access:{user}:{signature}"}


def _sign_v4(user: str, request: S3Request) -> dict[str, str]:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = _SCOPE.format(stamp[:8])
    fields = {**request.headers, "x-amz-date": stamp}
    fields.setdefault("x-amz-content-sha256", UNSIGNED)
    signature = v4_signature(
        f"{user}-secret",
        scope,
        stamp,
        request.method,
        request.path,
        request.query,
        fields,
        fields,
        fields["x-amz-content-sha256"],
    )
    names = ";".join(sorted(fields))
    fields["authorization"] = (
        f"{V4_ALGORITHM} Credential={user}-access:{user}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return fields


def in_chunks(content: bytes, *trailers: str) -> tuple[bytes, dict[str, str]]:
    """
    A body coded as C{aws-chunked}, not signed, and the headers that say so.

    @param trailers: C{name:value}.
    """
    half = len(content) // 2
    pieces = [each for each in (content[:half], content[half:]) if each]
    coded = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces)
    end = "".join(f"{each}\r\n" for each in trailers)
    headers = {
        "content_encoding": "aws-chunked",
        "x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x_amz_decoded_content_length": str(len(content)),
    }
    if trailers:
        headers["x_amz_trailer"] = ",".join(each.partition(":")[0] for each in trailers)
    return coded + b"0\r\n" + end.encode() + b"\r\n", headers


def md5_of(content: bytes) -> str:
    """In hex: the ETag of what came whole."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@asynccontextmanager
async def asking(directory: Path, database: Database, reactor: Any) -> AsyncIterator[Asker]:
    """An objectstore that answers, with joe's empty bucket C{bucket}."""
    async with running_objectstore(directory, database, reactor) as running:
        yield Asker(running, reactor)
