"""Signatures against those of the clients themselves: botocore and boto."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV2Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx.auth import signatures
from nova_tx.errors import AuthFailure

SECRET = "geheim/+="
URL = "http://cloud.example:8773/services/Cloud/"
KEYS = Credentials("AKID:joes project", SECRET)
PARAMETERS = {
    "Action": "RunInstances",
    "KeyName": "schlüssel ~*'()/+",
    "UserData": "aGVsbG8=",
    "Empty": "",
    "a": "lower",
    "Z.10": "ten",
    "Z.2": "two",
}


def lower(request: AWSRequest) -> dict[str, str]:
    found = {name.lower(): value for name, value in request.headers.items()}
    return {"host": urlsplit(request.url).netloc, **found}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_v2_equals_botocore(method: str) -> None:
    """A version 2 signature is the one that botocore makes, whatever the characters."""
    where = "params" if method == "GET" else "data"
    request = AWSRequest(method, URL, **{where: dict(PARAMETERS)})
    SigV2Auth(KEYS).add_auth(request)
    signed = dict(getattr(request, where))
    ours = signatures.v2_signature(
        SECRET, signed["SignatureMethod"], method, "cloud.example:8773", "/services/Cloud/", signed
    )
    assert signatures.same(ours, signed["Signature"])


def test_v2_sha1_differs_from_sha256() -> None:
    """SignatureMethod is honoured: HmacSHA1 and HmacSHA256 sign differently."""
    sha1, sha256 = (
        signatures.v2_signature(SECRET, each, "GET", "h", "/", {"Action": "X"})
        for each in ("HmacSHA1", "HmacSHA256")
    )
    # openssl dgst -sha1 (-sha256) -hmac 'geheim/+=' -binary | base64
    assert sha1 == "Z4HaxlfxUD3qnL9hRSIzVWR5xpw="
    assert sha256 == "oZiZgobI7T5VPqqIyf9a5ovq/aiy8w6EPXdo/cU0Mrc="
    with pytest.raises(AuthFailure):
        signatures.v2_signature(SECRET, "HmacMD5", "GET", "h", "/", {})


@pytest.mark.parametrize("path", ["/services/Cloud", "/services/Cloud/"])
def test_v4_header_equals_botocore(path: str) -> None:
    """A version 4 signature in the header is the one that botocore makes."""
    body = b"Action=DescribeInstances&Version=2016-11-15"
    request = AWSRequest(
        "POST",
        f"http://cloud.example:8773{path}",
        data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
    )
    SigV4Auth(KEYS, "ec2", "any-where").add_auth(request)
    found = signatures.parse_v4_authorization(request.headers["Authorization"])
    assert found.access_key == "AKID:joes project"
    ours = signatures.v4_signature(
        SECRET,
        found.scope,
        request.headers["X-Amz-Date"],
        "POST",
        path,
        (),
        lower(request),
        found.signed_headers,
        hashlib.sha256(body).hexdigest(),
    )
    assert signatures.same(ours, found.signature)


def test_v4_query_equals_botocore() -> None:
    """A version 4 signature in the query is the one that botocore makes."""
    request = AWSRequest("GET", URL, params={"Action": "DescribeInstances", "Name": "ä b"})
    SigV4QueryAuth(KEYS, "ec2", "somewhere").add_auth(request)
    query = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    found = signatures.v4_authorization(
        query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
    )
    ours = signatures.v4_signature(
        SECRET,
        found.scope,
        query["X-Amz-Date"],
        "GET",
        "/services/Cloud/",
        query.items(),
        lower(request),
        found.signed_headers,
        signatures.EMPTY_SHA256,
    )
    assert ours == query["X-Amz-Signature"]


def test_v4_of_s3_equals_botocore() -> None:
    """The same functions make S3's version 4 signature: the path is encoded once."""
    path = "/bucket/key%20with%20%C3%BC%2Bplus"
    request = AWSRequest("PUT", "http://cloud.example:3333" + path, data=b"body")
    request.context["has_streaming_input"] = False
    S3SigV4Auth(KEYS, "s3", "nova").add_auth(request)
    found = signatures.parse_v4_authorization(request.headers["Authorization"])
    ours = signatures.v4_signature(
        SECRET,
        found.scope,
        request.headers["X-Amz-Date"],
        "PUT",
        path,
        (),
        lower(request),
        found.signed_headers,
        request.headers["X-Amz-Content-SHA256"],
    )
    assert ours == found.signature


@pytest.mark.parametrize(
    "header",
    [
        "",
        "AWS key:signature",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20260101/r/s/aws4_request, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=k/20260101/r/s/aws4_request, SignedHeaders=host, Signature=",
        "AWS4-HMAC-SHA256 Credential=k/20260101/r/s/aws4_request, SignedHeaders=date, Signature=0",
        "AWS4-HMAC-SHA256 Credential=k/20260101/r/s/aws5_request, SignedHeaders=host, Signature=0",
    ],
)
def test_malformed_authorization(header: str) -> None:
    """An Authorization header that is incomplete is an AuthFailure, never another error."""
    with pytest.raises(AuthFailure):
        signatures.parse_v4_authorization(header)


def test_without_port() -> None:
    """A port is cut off a host, and nothing else is."""
    assert signatures.without_port("cloud:8773") == "cloud"
    assert signatures.without_port("cloud") == "cloud"
    assert signatures.without_port("[::1]:80") == "[::1]"


def test_same_takes_any_text() -> None:
    """Comparing with what is no signature at all is False, not an error."""
    assert not signatures.same("00", "ü\udcff")
    assert signatures.same("00", "00")
