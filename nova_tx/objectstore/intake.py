"""An object on its way in: what is computed of it, and checked against what was announced."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

from nova_tx.auth.s3_payload import Payload
from nova_tx.objectstore.aside import Aside
from nova_tx.objectstore.digests import checked, digests
from nova_tx.objectstore.facts import Facts, Grants
from nova_tx.objectstore.faults import BadDigest, InvalidDigest
from nova_tx.objectstore.metadata import kept_headers

#: Bytes whose digests are worth giving away.
_LARGE = 2**15


def _announced_md5(headers: dict[str, str]) -> bytes | None:
    text = headers.get("content-md5")
    if text is None:
        return None
    try:
        found = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
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
        @raise InvalidDigest, InvalidRequest: of what the headers announce.
        @raise MetadataTooLarge, InvalidArgument, InvalidStorageClass: by L{kept_headers}.
        """
        self._headers = headers
        self._kept = kept_headers(headers)
        self._given: dict[str, Any] = {"owner": owner, "grants": grants, "tags": tags or {}}
        self._payload = payload
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._expected = _announced_md5(headers)
        self._digests = digests(headers)
        self._aside = Aside()

    def length(self, body: int | None) -> int | None:
        """
        The bytes of the object, as they are announced; None: nobody says.

        @param body: those of the request's body.
        """
        return self._payload.length(body)

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
            raise BadDigest(
                "The Content-MD5 you specified did not match what we received.",
                ExpectedDigest=self._headers["content-md5"],
                CalculatedDigest=base64.b64encode(self._md5.digest()).decode(),
            )
        return Facts(
            self._size,
            self._md5.hexdigest(),
            time.time(),
            self._kept,
            checked(self._headers, self._payload.trailers, self._digests),
            **self._given,
        )
