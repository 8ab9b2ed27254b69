"""An object on its way in: to the disk as it arrives, and checked against what was announced."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import time
import zlib
from collections.abc import Callable
from typing import Protocol

from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore.aside import Aside
from nova_tx.objectstore.body import Body
from nova_tx.objectstore.calls import Call
from nova_tx.objectstore.commits import Commits
from nova_tx.objectstore.faults import BadDigest, InvalidDigest, NotImplementedHere
from nova_tx.objectstore.files import Facts, Writer
from nova_tx.objectstore.store import New, Store
from nova_tx.objectstore.threads import IPool

_KEPT = frozenset(
    ("content-type", "cache-control", "content-disposition", "content-language", "expires")
)
_CHECKSUM = "x-amz-checksum-"
#: Bytes whose digests are worth giving away.
_LARGE = 2**15
#: Headers that begin like a checksum and are none.
_NO_CHECKSUM = frozenset(("mode", "algorithm", "type"))


class _Digest(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_ALGORITHMS: dict[str, Callable[[], _Digest]] = {
    "crc32": _Crc32,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
}


def kept_headers(headers: dict[str, str]) -> dict[str, str]:
    """The headers of an upload that come back with the object."""
    found = {
        name: value
        for name, value in headers.items()
        if name in _KEPT or name.startswith("x-amz-meta-")
    }
    codings = [each.strip() for each in headers.get("content-encoding", "").split(",")]
    left = [each for each in codings if each and each.lower() != "aws-chunked"]
    if left:
        found["content-encoding"] = ",".join(left)
    return found


def _announced_md5(headers: dict[str, str]) -> bytes | None:
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != 16:
        raise InvalidDigest("Content-MD5 is not the base64 of an MD5")
    return found


def _digests(headers: dict[str, str]) -> dict[str, _Digest]:
    """What to compute of the body, by the algorithm's name."""
    names = [
        *headers,
        *(each.strip().lower() for each in headers.get("x-amz-trailer", "").split(",")),
    ]
    wanted = {name.removeprefix(_CHECKSUM) for name in names if name.startswith(_CHECKSUM)}
    unknown = wanted - _NO_CHECKSUM - set(_ALGORITHMS)
    if unknown:
        raise NotImplementedHere(f"checksums of kind {min(unknown)} can't be verified here")
    return {name: _ALGORITHMS[name]() for name in sorted(wanted - _NO_CHECKSUM)}


class _Intake:
    """What is computed of a body as it passes."""

    def __init__(self, headers: dict[str, str], payload: Payload) -> None:
        """
        @raise InvalidDigest, NotImplementedHere: of what the headers announce.
        """
        self._headers = headers
        self._payload = payload
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._expected = _announced_md5(headers)
        self._digests = _digests(headers)
        self._aside = Aside()

    def feed(self, data: bytes | memoryview) -> bytes | memoryview:
        """
        What these bytes are of the object.

        They must stay as they are until L{BEHIND} more calls have returned.

        @raise MalformedPayload, SignatureMismatch: it can't be the body that was signed.
        """
        decoded = self._payload.feed(data)
        self._size += len(decoded)
        if len(decoded) < _LARGE:
            self._aside.join()
            self._update(decoded)
        else:
            self._aside.do(lambda: self._update(decoded))
        return decoded

    def _update(self, decoded: bytes | memoryview) -> None:
        self._md5.update(decoded)
        for digest in self._digests.values():
            digest.update(decoded)

    def facts(self) -> Facts:
        """
        What is known of the object, now that all of it passed.

        @raise BadDigest: it is not what its headers announce.
        @raise MalformedPayload, PayloadMismatch: nor what was signed.
        """
        self._aside.join()
        self._payload.finish()
        if self._expected is not None and self._md5.digest() != self._expected:
            raise BadDigest("the body's MD5 is not the one in Content-MD5")
        return Facts(
            self._size,
            self._md5.hexdigest(),
            time.time(),
            kept_headers(self._headers),
            _checked({**self._headers, **self._payload.trailers}, self._digests),
        )


class Uploads:
    """Stores the bodies of PUTs as objects: whole, right and safe, or not at all."""

    def __init__(self, store: Store, files: IPool, bodies: IPool) -> None:
        """
        @param files: runs what is short; where small objects are written.
        @param bodies: where large bodies are taken in.
        """
        self._store = store
        self._bodies = bodies
        self._commits = Commits(store, files)

    async def receive(self, call: Call, body: Body, payload: Payload) -> Facts:
        """
        Store one.

        @raise BadDigest, InvalidDigest: it is not what its headers announce.
        @raise MalformedPayload, PayloadMismatch, SignatureMismatch: nor what was signed.
        @raise BucketNotFound: the bucket is gone.
        @raise ConnectionLost: the client went away.
        """
        intake = _Intake(call.headers, payload)
        if body.small:
            content = bytes(intake.feed(await body.whole()))
            facts = intake.facts()
            await self._commits.put(New(call.bucket, call.key, content, facts))
            return facts
        path, file = await self._bodies.run(self._store.begin)
        try:
            writer = Writer(file)
            await body.pour(lambda data: writer.write(intake.feed(data)), self._bodies)
            facts = await self._bodies.run(intake.facts)
            held = await self._bodies.run(self._store.held, call.bucket, call.key)
            try:
                await self._bodies.run(self._store.commit, path, file, call.bucket, call.key, facts)
            finally:
                if held is not None:
                    _ = self._bodies.run(os.close, held)
        except Exception:  # CancelledError is one
            await self._bodies.run(self._store.abort, path, file)
            raise
        return facts


def _checked(announced: dict[str, str], digests: dict[str, _Digest]) -> dict[str, str]:
    found = {name: base64.b64encode(digest.digest()).decode() for name, digest in digests.items()}
    for name, value in found.items():
        if announced.get(_CHECKSUM + name) != value:
            raise BadDigest(f"the body's {name} is not the one in {_CHECKSUM}{name}")
    return found
