"""
How requests are signed: EC2's signature version 2, and version 4 of EC2 and S3.

Pure: what was received goes in, the signature it ought to have comes out.
Secrets and expected signatures never leave by an error or a log.
                                                       [spec/02 section 2; spec/15 A2, C3, C4]
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from nova_tx.errors import AuthFailure

#: The one algorithm of version 4.
V4_ALGORITHM = "AWS4-HMAC-SHA256"

#: SHA-256 of nothing, the payload hash of a request without a body.
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()

_V2_DIGESTS = {"HmacSHA1": hashlib.sha1, "HmacSHA256": hashlib.sha256}


def same(ours: str, theirs: str) -> bool:
    """Whether two signatures are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))


def encode(text: str, safe: str = "") -> str:
    """Percent-encode all but letters, digits and C{-_.~} (RFC 3986), as AWS signs."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="-_.~" + safe)


def without_port(host: str) -> str:
    """The host header without its port; some clients sign it so.        [spec/15 C4]"""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


# Version 2.


def v2_signature(
    secret: str,
    algorithm: str,
    method: str,
    host: str,
    path: str,
    parameters: Mapping[str, str],
) -> str:
    """
    The base64 signature of a version 2 request.

    @param algorithm: the request's C{SignatureMethod}.
    @param host: the Host header as it is to be signed.
    @param path: as requested, percent-encoded, with its final slash if it had one.
    @param parameters: all of query and form; C{Signature} is left out here.
    @raise AuthFailure: no such algorithm.
    """
    digest = _V2_DIGESTS.get(algorithm)
    if digest is None:
        raise AuthFailure(f"SignatureMethod must be one of {', '.join(sorted(_V2_DIGESTS))}")
    query = "&".join(
        f"{encode(key)}={encode(value)}"
        for key, value in sorted(
            parameters.items(), key=lambda pair: pair[0].encode("utf-8", "surrogatepass")
        )
        if key != "Signature"
    )
    text = "\n".join((method, host.lower(), path or "/", query))
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), digest).digest()).decode()


# Version 4.


@dataclass(frozen=True)
class V4Authorization:
    """
    What a version 4 request says of its own signature.

    @ivar access_key: whose secret signed it.
    @ivar scope: C{date/region/service/aws4_request}; any region, any service.
    @ivar signed_headers: names of the headers under the signature, lower case, sorted.
    @ivar signature: lower-case hex.
    """

    access_key: str
    scope: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_v4_authorization(header: str) -> V4Authorization:
    """
    Read an C{Authorization: AWS4-HMAC-SHA256 …} header.

    @raise AuthFailure: it is not of that form.
    """
    algorithm, _, rest = header.strip().partition(" ")
    if algorithm != V4_ALGORITHM:
        raise AuthFailure("the Authorization header is of an unknown kind")
    parts = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    return v4_authorization(
        parts.get("Credential", ""), parts.get("SignedHeaders", ""), parts.get("Signature", "")
    )


def v4_authorization(credential: str, signed_headers: str, signature: str) -> V4Authorization:
    """
    The three parts of a version 4 signature, as header or query carry them.

    @param credential: C{access key/date/region/service/aws4_request}.
    @param signed_headers: names joined by C{;}.
    @raise AuthFailure: a part is missing or malformed, or C{host} is not signed.
    """
    access_key, *scope = credential.rsplit("/", 4)
    names = tuple(signed_headers.lower().split(";"))
    if len(scope) != 4 or scope[3] != "aws4_request" or not access_key or not signature:
        raise AuthFailure("the request's signature is incomplete")
    if "host" not in names:
        raise AuthFailure("the request's signature does not cover its Host header")
    return V4Authorization(access_key, "/".join(scope), names, signature)


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """The query as version 4 signs it; C{X-Amz-Signature} is left out."""
    return "&".join(
        f"{key}={value}"
        for key, value in sorted(
            (encode(key), encode(value)) for key, value in pairs if key != "X-Amz-Signature"
        )
    )


@functools.lru_cache(256)
def v4_signing_key(secret: str, scope: str) -> bytes:
    """The key that signs everything of one day, region and service."""
    key = b"AWS4" + secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def v4_string_to_sign(scope: str, timestamp: str, canonical_request: str) -> str:
    """The text that the signing key signs, of a request or of anything else."""
    digest = hashlib.sha256(canonical_request.encode("utf-8", "surrogatepass")).hexdigest()
    return "\n".join((V4_ALGORITHM, timestamp, scope, digest))


def v4_signature(
    secret: str,
    scope: str,
    timestamp: str,
    method: str,
    canonical_path: str,
    query_pairs: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    signed_headers: Iterable[str],
    payload_hash: str,
) -> str:
    """
    The hex signature of a version 4 request.

    @param timestamp: C{YYYYMMDDTHHMMSSZ}.
    @param canonical_path: percent-encoded: once for S3, as requested for EC2.
    @param query_pairs: decoded; C{X-Amz-Signature} is left out here.
    @param headers: by lower-case name; several of a name joined by commas.
    @param payload_hash: hex SHA-256 of the body, or what S3 allows instead.
    """
    names = sorted(signed_headers)
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in names]
    request = "\n".join(
        (
            method,
            canonical_path or "/",
            canonical_query(query_pairs),
            *lines,
            "",
            ";".join(names),
            payload_hash,
        )
    )
    text = v4_string_to_sign(scope, timestamp, request)
    return hmac.new(v4_signing_key(secret, scope), text.encode(), hashlib.sha256).hexdigest()
