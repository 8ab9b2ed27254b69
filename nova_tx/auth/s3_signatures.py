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
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from nova_tx.auth.s3_faults import MalformedAuthorization, PayloadUnsigned
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
from nova_tx.errors import (
    AuthFailure,
    InvalidInput,
    MalformedPayload,
    RequestExpired,
    SignatureMismatch,
)

#: Seconds that a request's time may be off.
WINDOW = 900

#: Parts of a query that version 2 signs; of any other it says nothing.
# fmt: off
_SUBRESOURCES = frozenset(
    (
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory",
        "lifecycle", "location", "logging", "metrics", "notification", "object-lock",
        "partNumber", "policy", "replication", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore",
        "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads",
        "versionId", "versioning", "versions", "website",
    )
)
# fmt: on
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
#: How version 4 writes a time.
BASIC = "%Y%m%dT%H%M%SZ"
UNSIGNED = "UNSIGNED-PAYLOAD"
_CHUNKED = re.compile(r"STREAMING-(AWS4-HMAC-SHA256|UNSIGNED)-PAYLOAD(-TRAILER)?\Z")


@dataclass(frozen=True)
class S3Request:
    """
    What of a request is signed.

    @ivar path: as requested, percent-encoded, without the query.
    @ivar query: its decoded pairs, in order; a name without C{=} has the value "".
    @ivar headers: by lower-case name; several of a name joined by commas.
    @ivar host_bucket: the bucket that the Host header names; "": the path names it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    host_bucket: str = ""


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
        alone = self.request.path.count("/") == 1 and self.request.path != "/"
        if alone and not self.request.host_bucket:
            paths.append(self.request.path + "/")  # botocore signs a bucket so
        if not any(
            same(v2_signature(secret, replace(self.request, path=path)), signature)
            for path in paths
        ):
            raise SignatureMismatch("the signature does not match")
        return unsigned_payload(self.request.headers)

    def _verify_v4(self, secret: str, claimed: V4Authorization) -> Payload:
        headers = self.request.headers
        content = headers.get("x-amz-content-sha256", "")
        stamp = self.timestamp.strftime(BASIC)
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


def unsigned_payload(headers: Mapping[str, str]) -> Payload:
    """
    The filter for a body that no signature covers.

    @raise MalformedPayload: the headers do not say how it is coded.
    """
    content = headers.get("x-amz-content-sha256", "")
    if content.startswith("STREAMING-") or "x-amz-decoded-content-length" in headers:
        return _chunked(headers, None, False)
    return PlainPayload(content if _SHA256.match(content) else None)


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
    @raise InvalidInput, MalformedAuthorization: it is signed in a way that we don't know.
    @raise AuthFailure, PayloadUnsigned: it does not say when, or does not sign all that it must.
    @raise RequestExpired: its time is more than L{WINDOW} seconds from C{now}.
    """
    text = request.headers.get("authorization", "").strip()
    if text.startswith("AWS "):
        # the key may be access:project, so the signature is after the last colon
        access, colon, signature = text[4:].strip().rpartition(":")
        if not colon or not access or not signature:
            raise InvalidInput("the Authorization header is not AWS AccessKeyId:signature")
        authorization: V4Authorization | str = signature
        timestamp = _time(request)
    elif text.startswith(V4_ALGORITHM):
        try:
            authorization = parse_v4_authorization(text)
        except AuthFailure as error:
            raise MalformedAuthorization(str(error)) from None
        access = authorization.access_key
        timestamp = _time(request)
        if not authorization.scope.startswith(timestamp.strftime("%Y%m%d/")):
            raise MalformedAuthorization("the credential's date is not that of the request")
        check_v4(request, authorization)
    else:
        raise InvalidInput("the Authorization header is of a kind that is not supported")
    if abs((timestamp - now).total_seconds()) > WINDOW:
        raise RequestExpired("the difference between the request's time and ours is too large")
    return Claim(request, *access_parts(access), timestamp, authorization)


def access_parts(access: str) -> tuple[str, str | None]:
    """The access key and the project of C{access:project}; None if none is named."""
    key, _, project = access.partition(":")
    return key, project or None


def check_v4(request: S3Request, authorization: V4Authorization) -> None:
    """
    See that a signature of version 4 covers what it must.

    @raise PayloadUnsigned: it does not say how the body is signed.
    @raise AuthFailure: a header is not signed.
    """
    content = request.headers.get("x-amz-content-sha256", "")
    if content != UNSIGNED and not _SHA256.match(content) and not _CHUNKED.match(content):
        raise PayloadUnsigned("x-amz-content-sha256 is missing or of an unknown kind")
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
        return datetime.strptime(text, BASIC).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AuthFailure("the request has no valid Date or x-amz-date header") from None


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
        _resource(request) + ("?" + "&".join(signed) if signed else ""),
    ]
    text = "\n".join(lines).encode("utf-8", "surrogateescape")
    return base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha1).digest()).decode()


def _resource(request: S3Request) -> str:
    return f"/{request.host_bucket}{request.path}" if request.host_bucket else request.path


def sign(
    method: str,
    host: str,
    path: str,
    query: Iterable[tuple[str, str]],
    access_key: str,
    secret: str,
    now: datetime,
    content: str = EMPTY_SHA256,
    region: str = "nova",
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """
    The headers that sign a request, version 4.

    @param host: as the Host header will be.
    @param path: percent-encoded.
    @param query: its decoded pairs.
    @param access_key: C{access:project}.
    @param content: the SHA-256 of its body in hex, or L{UNSIGNED}.
    @param region: of the service that is asked.
    @param more: headers that are to be signed, too, by lower-case name.
    """
    stamp = now.astimezone(UTC).strftime(BASIC)
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    headers = {**more, "host": host, "x-amz-content-sha256": content, "x-amz-date": stamp}
    signature = v4_signature(secret, scope, stamp, method, path, query, headers, headers, content)
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        f"{V4_ALGORITHM} Credential={access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return headers
