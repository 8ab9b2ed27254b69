"""An object on its way in: what is computed of it, and checked against what was announced."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from typing import Any

from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore.aside import Aside
from nova_tx.objectstore.digests import checked, digests
from nova_tx.objectstore.facts import Facts, Grants
from nova_tx.objectstore.faults import BadDigest, InvalidDigest

_KEPT = frozenset(
    ("content-type", "cache-control", "content-disposition", "content-language", "expires")
)
#: Bytes whose digests are worth giving away.
_LARGE = 2**15


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


class Intake:
    """What is computed of a body as it passes, and checked against what was announced."""

    def __init__(
        self,
        headers: dict[str, str],
        payload: Payload,
        owner: str = "",
        grants: Grants = (),
        tags: dict[str, str] | None = None,
    ) -> None:
        """
        @param owner, grants, tags: of the object that it will be.
        @raise InvalidDigest, NotImplementedHere: of what the headers announce.
        """
        self._headers = headers
        self._given: dict[str, Any] = {"owner": owner, "grants": grants, "tags": tags or {}}
        self._payload = payload
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._expected = _announced_md5(headers)
        self._digests = digests(headers)
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
            checked({**self._headers, **self._payload.trailers}, self._digests),
            **self._given,
        )
