"""Signatures in queries, as botocore and boto make them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx.auth.s3_faults import MalformedQueryAuthorization
from nova_tx.auth.s3_presigned import LONGEST, claim, headers_in, is_presigned
from nova_tx.auth.s3_signatures import S3Request
from nova_tx.errors import AuthFailure, InvalidInput, NovaError, SignatureMismatch

SECRET = "a secret"
_CREDENTIALS = Credentials("key:project", SECRET)


def now() -> datetime:
    """The time that the clients, who have no other, sign with."""
    return datetime.now(UTC).replace(microsecond=0)


def _v2(seconds: int) -> Any:
    return HmacV1QueryAuth(_CREDENTIALS, seconds)


def _v4(seconds: int) -> Any:
    return S3SigV4QueryAuth(_CREDENTIALS, "s3", "anywhere", seconds)


def _signed(auth: Any, path: str = "/bucket/a%20b", **headers: str) -> S3Request:
    """What somebody asks for who was given the URL."""
    request = AWSRequest("GET", f"http://h:1{path}", headers)
    auth.add_auth(request)
    parts = urlsplit(request.url)
    pairs = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return S3Request("GET", parts.path, pairs, {"host": "h:1"})


def _changed(request: S3Request, **values: str) -> S3Request:
    """The same with other values in its query; an empty one is none."""
    names = {name.replace("_", "-"): value for name, value in values.items()}
    pairs = ((name, names.get(name, value)) for name, value in request.query)
    return replace(request, query=tuple(pair for pair in pairs if pair[1]))


@pytest.mark.parametrize("auth", [_v2, _v4])
@pytest.mark.parametrize("path", ["/bucket/a%20b//%C3%BC", "/bucket/k?acl", "/b?prefix=a%20b"])
def test_signed(auth: Any, path: str) -> None:
    """A URL is its signer's for as long as it says, and for what it was signed."""
    request = _signed(auth(60), path)
    assert is_presigned(request.query)
    found = claim(request, now())
    assert (found.access_key, found.project_id) == ("key", "project")
    found.verify(SECRET).finish()
    claim(request, now() + timedelta(seconds=59)).verify(SECRET)
    with pytest.raises(AuthFailure, match="Request has expired"):
        claim(request, now() + timedelta(seconds=62))
    others = [replace(request, method="PUT"), replace(request, path="/bucket/other")]
    if auth is _v4:
        others.append(replace(request, query=(*request.query, ("x", "y"))))
    else:
        others.append(replace(request, query=(*request.query, ("tagging", ""))))
    for other in others:
        with pytest.raises(SignatureMismatch):
            claim(other, now()).verify(SECRET)


def test_lifetime_is_signed() -> None:
    """Who has a URL can't make it last."""
    for request, change in (
        (_signed(_v2(60)), {"Expires": str(int(now().timestamp()) + 9999)}),
        (_signed(_v4(60)), {"X_Amz_Expires": "9999"}),
    ):
        with pytest.raises(SignatureMismatch):
            claim(_changed(request, **change), now()).verify(SECRET)


def test_headers_in_query() -> None:
    """Version 2: headers that were signed are in the query, and hold if they are not sent."""
    request = _signed(_v2(60), **{"x-amz-acl": "private", "Content-Type": "text/x", "X-Other": "1"})
    assert headers_in(request.query) == {"x-amz-acl": "private", "content-type": "text/x"}
    claim(request, now()).verify(SECRET)
    other = _changed(request, x_amz_acl="public-read")
    with pytest.raises(SignatureMismatch):
        claim(other, now()).verify(SECRET)
    # version 4 has no other headers in the query than S3's own, and none of those that sign
    query = (("X-Amz-Acl", "private"), ("Content-Type", "text/x"), ("X-Amz-Date", "now"))
    assert headers_in(query) == {"x-amz-acl": "private"}


@pytest.mark.parametrize("auth", [HmacV1QueryAuth, S3SigV4QueryAuth])
def test_session(auth: Any) -> None:
    """The token of a session is seen in the query, too: who has it is told that there are none."""
    session = Credentials("key:project", SECRET, "token")
    more = (60,) if auth is HmacV1QueryAuth else ("s3", "anywhere", 60)
    request = _signed(auth(session, *more))
    claim(request, now()).verify(SECRET)
    assert headers_in(request.query) == {"x-amz-security-token": "token"}


def test_headers_sent() -> None:
    """Version 4: headers that were signed have to be sent as they were, and no others."""
    request = _signed(_v4(60), **{"x-amz-acl": "private"})
    sent = {**request.headers, "x-amz-acl": "private"}
    claim(replace(request, headers=sent), now()).verify(SECRET)
    with pytest.raises(SignatureMismatch):
        claim(replace(request, headers={**sent, "x-amz-acl": "public"}), now()).verify(SECRET)
    with pytest.raises(AuthFailure, match="x-amz-tagging is not signed"):
        claim(replace(request, headers={**sent, "x-amz-tagging": "a=b"}), now())


@pytest.mark.parametrize(
    ("auth", "change", "error"),
    [
        (_v2, {"Signature": ""}, AuthFailure),
        (_v2, {"Expires": ""}, AuthFailure),
        (_v2, {"Expires": "tomorrow"}, AuthFailure),
        (_v4, {"X_Amz_Algorithm": ""}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Algorithm": "HMAC"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Credential": "key/of/nothing"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_SignedHeaders": "date"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Date": "today"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Date": "20070327T193642Z"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Expires": ""}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Expires": "soon"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Expires": "-1"}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Expires": str(LONGEST + 1)}, MalformedQueryAuthorization),
        (_v4, {"X_Amz_Expires": "9" * 40}, MalformedQueryAuthorization),
    ],
)
def test_malformed(auth: Any, change: dict[str, str], error: type[NovaError]) -> None:
    """What is not whole or not of its form is refused by the name that S3 has for it."""
    with pytest.raises(NovaError) as caught:
        claim(_changed(_signed(auth(60)), **change), now())
    assert type(caught.value) is error


def test_longest() -> None:
    """Version 4: a week is as long as one may be good."""
    claim(_signed(_v4(LONGEST)), now()).verify(SECRET)


def test_early() -> None:
    """Version 4: a URL of tomorrow is not good yet."""
    with pytest.raises(AuthFailure, match="not valid yet"):
        claim(_signed(_v4(60)), now() - timedelta(seconds=920))
    claim(_signed(_v4(60)), now() - timedelta(seconds=880))


def test_twice() -> None:
    """A request is signed in one place."""
    request = _signed(_v4(60))
    headers = {**request.headers, "authorization": "AWS key:signature"}
    with pytest.raises(InvalidInput):
        claim(replace(request, headers=headers), now())
