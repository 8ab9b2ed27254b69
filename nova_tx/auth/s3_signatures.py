"""
How S3 requests are signed: version 2, and version 4 with its ways to sign a body.

Pure: the caller finds the secret of the access key that a request claims, and
asks the claim whether it holds.                         [spec/04 section 1; clients.md]
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from nova_tx.auth.s3_payload import ChunkedPayload, ChunkSigner, Payload, PlainPayload
from nova_tx.auth.signatures import (
    EMPTY_SHA256,
    V4_ALGORITHM,
    V4Authorization,
    encode,
    parse_v4_authorization,
    same,
    v4_signature,
    v4_signing_key,
    without_port,
)
from nova_tx.errors import AuthFailure, MalformedPayload, RequestExpired, SignatureMismatch

#: Seconds that a request's time may be off.
WINDOW = 900

#: Parts of a query that version 2 signs; of any other it says nothing.
# fmt: off
_SUBRESOURCES = frozenset(
    (
        "acl", "cors", "defaultObjectAcl", "delete", "lifecycle", "location", "logging",
        "notification", "partNumber", "policy", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore",
        "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId",
        "versioning", "versions", "website",
    )
)
# fmt: on
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_BASIC = "%Y%m%dT%H%M%SZ"
UNSIGNED = "UNSIGNED-PAYLOAD"
_CHUNKED = re.compile(r"STREAMING-(AWS4-HMAC-SHA256|UNSIGNED)-PAYLOAD(-TRAILER)?\Z")


@dataclass(frozen=True)
class S3Request:
    """
    What of a request is signed.

    @ivar path: as requested, percent-encoded, without the query.
    @ivar query: its decoded pairs, in order; a name without C{=} has the value "".
    @ivar headers: by lower-case name; several of a name joined by commas.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Claim:
    """
    Who says to have signed a request.

    @ivar project_id: the project after the colon of the access key, None without one.
    """

    request: S3Request
    access_key: str
    project_id: str | None
    timestamp: datetime
    authorization: V4Authorization | str

    def verify(self, secret: str) -> Payload:
        """
        Check the signature; returns the filter that the body must pass.

        @raise SignatureMismatch: it was not made with this secret.
        @raise AuthFailure, MalformedPayload: the headers do not say how the body is signed.
        """
        if isinstance(self.authorization, str):
            return self._verify_v2(secret, self.authorization)
        return self._verify_v4(secret, self.authorization)

    def _verify_v2(self, secret: str, signature: str) -> Payload:
        paths = [self.request.path]
        if self.request.path.count("/") == 1 and self.request.path != "/":
            paths.append(self.request.path + "/")  # botocore signs a bucket so
        if not any(
            same(v2_signature(secret, replace(self.request, path=path)), signature)
            for path in paths
        ):
            raise SignatureMismatch("the signature does not match")
        if self.request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return _chunked(self.request.headers, None, False)
        return PlainPayload(None)

    def _verify_v4(self, secret: str, claimed: V4Authorization) -> Payload:
        headers = self.request.headers
        content = headers.get("x-amz-content-sha256", "")
        stamp = self.timestamp.strftime(_BASIC)
        host = headers.get("host", "")
        # as it came, and as it would come from a client that encodes by the book
        decoded = unquote_to_bytes(self.request.path).decode("utf-8", "surrogateescape")
        paths = dict.fromkeys((self.request.path, encode(decoded, "/")))
        if not any(
            same(
                v4_signature(
                    secret,
                    claimed.scope,
                    stamp,
                    self.request.method,
                    path,
                    self.request.query,
                    {**headers, "host": name},
                    claimed.signed_headers,
                    content,
                ),
                claimed.signature,
            )
            for path in paths
            for name in dict.fromkeys((host, without_port(host)))
        ):
            raise SignatureMismatch("the signature does not match")
        if content == UNSIGNED:
            return PlainPayload(None)
        chunked = _CHUNKED.match(content)
        if chunked is None:
            return PlainPayload(content)
        if chunked[1] == "UNSIGNED":
            return _chunked(headers, None, False)
        key = v4_signing_key(secret, claimed.scope)
        signer = ChunkSigner(key, claimed.scope, stamp, claimed.signature)
        return _chunked(headers, signer, chunked[2] is not None)


def _chunked(
    headers: Mapping[str, str], signer: ChunkSigner | None, signed_trailer: bool
) -> ChunkedPayload:
    length = headers.get("x-amz-decoded-content-length", "")
    if not (length.isascii() and length.isdigit()) or len(length) > 18:
        raise MalformedPayload("a body in chunks needs x-amz-decoded-content-length")
    return ChunkedPayload(int(length), signer, signed_trailer)


def claim(request: S3Request, now: datetime) -> Claim:
    """
    Who a request says it is from, and when; nothing of it is proven yet.

    @param now: aware.
    @raise AuthFailure: it is not signed, or not in a way that we know.
    @raise RequestExpired: its time is more than L{WINDOW} seconds from C{now}.
    """
    text = request.headers.get("authorization", "").strip()
    if text.startswith("AWS "):
        # the key may be access:project, so the signature is after the last colon
        access, colon, signature = text[4:].strip().rpartition(":")
        if not colon or not access or not signature:
            raise AuthFailure("the Authorization header is malformed")
        authorization: V4Authorization | str = signature
        timestamp = _time(request)
    elif text.startswith(V4_ALGORITHM):
        authorization = parse_v4_authorization(text)
        access = authorization.access_key
        timestamp = _time(request)
        _check_v4(request, authorization, timestamp)
    else:
        raise AuthFailure("the request is not signed")
    if abs((timestamp - now).total_seconds()) > WINDOW:
        raise RequestExpired("the difference between the request's time and ours is too large")
    key, _, project = access.partition(":")
    return Claim(request, key, project or None, timestamp, authorization)


def _check_v4(request: S3Request, authorization: V4Authorization, timestamp: datetime) -> None:
    content = request.headers.get("x-amz-content-sha256", "")
    if content != UNSIGNED and not _SHA256.match(content) and not _CHUNKED.match(content):
        raise AuthFailure("x-amz-content-sha256 is missing or of an unknown kind")
    if not authorization.scope.startswith(timestamp.strftime("%Y%m%d/")):
        raise AuthFailure("the signature's scope is of another day than the request")
    for name in request.headers:
        # the payload's hash is in the signed text anyway
        needed = name.startswith("x-amz-") and name != "x-amz-content-sha256"
        if needed and name not in authorization.signed_headers:
            raise AuthFailure(f"the header {name} is not signed")


def _time(request: S3Request) -> datetime:
    return _moment(request.headers.get("x-amz-date") or request.headers.get("date", ""))


@functools.lru_cache(256)
def _moment(text: str) -> datetime:
    """Kept, for requests of the same second are many."""
    try:
        return datetime.strptime(text, _BASIC).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        raise AuthFailure("the request has no valid Date or x-amz-date header") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def v2_signature(secret: str, request: S3Request) -> str:
    """The base64 signature of a version 2 request."""
    headers = request.headers
    amazon = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    signed = sorted(
        f"{name}={value}" if value else name
        for name, value in request.query
        if name in _SUBRESOURCES
    )
    lines = [
        request.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        "" if "x-amz-date" in amazon else headers.get("date", ""),
        *(f"{name}:{value}" for name, value in sorted(amazon.items())),
        request.path + ("?" + "&".join(signed) if signed else ""),
    ]
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha1).digest()).decode()


def sign(
    method: str,
    host: str,
    path: str,
    query: Iterable[tuple[str, str]],
    access_key: str,
    secret: str,
    now: datetime,
    content: str = EMPTY_SHA256,
) -> dict[str, str]:
    """
    The headers that sign a request, version 4.

    @param host: as the Host header will be.
    @param path: percent-encoded.
    @param query: its decoded pairs.
    @param access_key: C{access:project}.
    @param content: the SHA-256 of its body in hex, or L{UNSIGNED}.
    """
    stamp = now.astimezone(UTC).strftime(_BASIC)
    scope = f"{stamp[:8]}/nova/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": content, "x-amz-date": stamp}
    signature = v4_signature(secret, scope, stamp, method, path, query, headers, headers, content)
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        f"{V4_ALGORITHM} Credential={access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers
