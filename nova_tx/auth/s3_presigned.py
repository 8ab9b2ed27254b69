"""
Requests whose signature is in the query, so that a URL is all that one needs.

What such a URL says of headers in its query counts as if they had been sent.   [S3: presigned URLs]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from nova_tx.auth.s3_faults import MalformedQueryAuthorization
from nova_tx.auth.s3_signatures import (
    BASIC,
    UNSIGNED,
    WINDOW,
    Claim,
    S3Request,
    access_parts,
    check_v4,
)
from nova_tx.auth.signatures import V4_ALGORITHM, v4_authorization
from nova_tx.errors import AuthFailure, InvalidInput

#: Seconds for which a URL of version 4 may be good.
LONGEST = 7 * 86400

_V2 = ("AWSAccessKeyId", "Expires", "Signature")
_V4 = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
)
#: Of these one says that the query signs the request.
_MARKS = frozenset(("AWSAccessKeyId", "Signature", *_V4)) - {"X-Amz-Date", "X-Amz-Expires"}
_NO_HEADERS = frozenset(each.lower() for each in _V4)
_EXPIRED = "Request has expired"


def is_presigned(query: Iterable[tuple[str, str]]) -> bool:
    """Whether a query says that it signs the request."""
    return any(name in _MARKS for name, _ in query)


def headers_in(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that a signed query stands for, by lower-case name."""
    pairs = [(name.lower(), value) for name, value in query]
    found = {
        name: value
        for name, value in pairs
        if name.startswith("x-amz-") and name not in _NO_HEADERS
    }
    if any(name == "awsaccesskeyid" for name, _ in pairs):
        found.update(pair for pair in pairs if pair[0] in ("content-md5", "content-type"))
    return found


def claim(request: S3Request, now: datetime) -> Claim:
    """
    Who a request with a signed query says it is from; nothing of it is proven yet.

    @param now: aware.
    @raise InvalidInput: it is signed twice.
    @raise AuthFailure: it says so wrongly, or is not good any more, or not yet.
    @raise MalformedQueryAuthorization, PayloadUnsigned: version 4 says so wrongly.
    """
    if "authorization" in request.headers:
        raise InvalidInput("a request is signed in its Authorization header or its query, not both")
    query: dict[str, str] = {}
    for name, value in request.query:
        query.setdefault(name, value)
    if any(name in query for name in _MARKS.intersection(_V4)):
        return _claim_v4(request, query, now)
    return _claim_v2(request, query, now)


def _claim_v2(request: S3Request, query: Mapping[str, str], now: datetime) -> Claim:
    access, expires, signature = (query.get(name, "") for name in _V2)
    if not (access and expires and signature):
        raise AuthFailure(f"a query is signed by {', '.join(_V2)}")
    if not (expires.isascii() and expires.isdigit()) or len(expires) > 11:
        raise AuthFailure("Expires is no count of seconds since 1970")
    if now.timestamp() > int(expires):
        raise AuthFailure(_EXPIRED)
    headers = {**request.headers, **headers_in(request.query), "date": expires}
    headers.pop("x-amz-date", None)
    return Claim(replace(request, headers=headers), *access_parts(access), now, signature)


def _claim_v4(request: S3Request, query: Mapping[str, str], now: datetime) -> Claim:
    missing = [name for name in _V4 if not query.get(name)]
    if missing:
        raise MalformedQueryAuthorization(f"{', '.join(missing)} is missing")
    if query["X-Amz-Algorithm"] != V4_ALGORITHM:
        raise MalformedQueryAuthorization(f"X-Amz-Algorithm must be {V4_ALGORITHM}")
    try:
        authorization = v4_authorization(
            query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
        )
        start = datetime.strptime(query["X-Amz-Date"], BASIC).replace(tzinfo=UTC)
    except AuthFailure as error:
        raise MalformedQueryAuthorization(str(error)) from None
    except ValueError:
        raise MalformedQueryAuthorization("X-Amz-Date is not YYYYMMDDTHHMMSSZ") from None
    if not authorization.scope.startswith(start.strftime("%Y%m%d/")):
        raise MalformedQueryAuthorization("the credential's date is not that of X-Amz-Date")
    _check_time(query["X-Amz-Expires"], start, now)
    content = query.get("X-Amz-Content-Sha256") or UNSIGNED
    if "x-amz-content-sha256" in authorization.signed_headers:
        content = request.headers.get("x-amz-content-sha256", "")
    headers = {**request.headers, "x-amz-content-sha256": content}
    signed = replace(request, headers=headers)
    check_v4(signed, authorization)
    return Claim(signed, *access_parts(authorization.access_key), start, authorization)


def _check_time(expires: str, start: datetime, now: datetime) -> None:
    number = expires.removeprefix("-")
    if not (number.isascii() and number.isdigit()):
        raise MalformedQueryAuthorization("X-Amz-Expires should be a number")
    if number != expires:
        raise MalformedQueryAuthorization("X-Amz-Expires must be non-negative")
    if len(expires) > 9 or int(expires) > LONGEST:
        raise MalformedQueryAuthorization(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given"
            f" X-Amz-Expires must be less than {LONGEST} seconds"
        )
    if start > now + timedelta(seconds=WINDOW):
        raise AuthFailure("Request is not valid yet")
    if now > start + timedelta(seconds=int(expires)):
        raise AuthFailure(_EXPIRED)
