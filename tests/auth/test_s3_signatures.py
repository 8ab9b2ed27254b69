"""S3's signatures and bodies; the vectors are AWS's own, or botocore's."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import HmacV1Auth, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nova_tx.auth.s3_faults import MalformedAuthorization, PayloadUnsigned
from nova_tx.auth.s3_payload import ChunkedPayload, ChunkSigner
from nova_tx.auth.s3_signatures import S3Request, claim, sign, v2_signature
from nova_tx.auth.signatures import v4_signing_key
from nova_tx.errors import (
    AuthFailure,
    InvalidInput,
    MalformedPayload,
    NovaError,
    PayloadMismatch,
    RequestExpired,
    SignatureMismatch,
)


def now() -> datetime:
    """The time that the clients, who have no other, sign with."""
    return datetime.now(UTC).replace(microsecond=0)


SECRET = "a secret"

# Signing and verifying requests.


def _signed(auth: object, method: str, path: str, body: bytes = b"", **headers: str) -> S3Request:
    """What botocore would send."""
    url = f"http://127.0.0.1:3333{path}"
    request = AWSRequest(method, url, headers, body)
    auth.add_auth(request)  # type: ignore[attr-defined]
    fields = {name.lower(): value for name, value in request.headers.items()}
    fields.setdefault("host", "127.0.0.1:3333")
    raw, _, query = path.partition("?")
    pairs = tuple(
        (name, value.replace("%20", " "))
        for name, _, value in (each.partition("=") for each in query.split("&") if each)
    )
    return S3Request(method, raw, pairs, fields)


def _v2() -> HmacV1Auth:
    return HmacV1Auth(Credentials("key:project", SECRET))


def _v4() -> S3SigV4Auth:
    return S3SigV4Auth(Credentials("key:project", SECRET), "s3", "anywhere")


@pytest.mark.parametrize("auth", [_v2, _v4])
@pytest.mark.parametrize(
    "path",
    ["/", "/bucket", "/bucket/a%20b//%C3%BC%2F", "/bucket?acl", "/b?prefix=a%20b&max-keys=0"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_botocore(auth: object, path: str, method: str) -> None:
    """A request that botocore signed is its signer's, and nobody else's."""
    request = _signed(auth(), method, path, **{"x-amz-acl": "aws-exec-read"})  # type: ignore[operator]
    found = claim(request, now())
    assert (found.access_key, found.project_id) == ("key", "project")
    found.verify(SECRET).finish()
    with pytest.raises(SignatureMismatch):
        found.verify("another secret")


@pytest.mark.parametrize("auth", [_v2, _v4])
def test_altered(auth: object) -> None:
    """A signed request that was altered on its way is refused."""
    request = _signed(auth(), "PUT", "/bucket/key", **{"x-amz-acl": "private"})  # type: ignore[operator]
    for other in (
        replace(request, method="DELETE"),
        replace(request, path="/bucket/other"),
        replace(request, query=(("acl", ""),)),
        replace(request, headers={**request.headers, "x-amz-acl": "public"}),
    ):
        with pytest.raises(SignatureMismatch):
            claim(other, now()).verify(SECRET)


def test_unsigned_header() -> None:
    """Version 4: a header x-amz-… that somebody added is refused."""
    request = _signed(_v4(), "PUT", "/bucket/key")
    request = replace(request, headers={**request.headers, "x-amz-acl": "public"})
    with pytest.raises(AuthFailure, match="x-amz-acl is not signed"):
        claim(request, now())


@pytest.mark.parametrize("auth", [_v2, _v4])
@pytest.mark.parametrize("minutes", [-16, 16])
def test_expired(auth: object, minutes: int) -> None:
    """A request of more than fifteen minutes ago, or ahead, is refused."""
    request = _signed(auth(), "GET", "/bucket")  # type: ignore[operator]
    claim(request, now() + timedelta(minutes=minutes * 14 / 16))
    with pytest.raises(RequestExpired):
        claim(request, now() + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("text", "date", "error"),
    [
        ("AWS", "", InvalidInput),
        ("AWS key", "", InvalidInput),
        ("AWS :x", "", InvalidInput),
        ("AWS key:", "", InvalidInput),
        ("Basic a:b", "Sun, 22 Nov 2026 00:00:00 GMT", InvalidInput),
        ("AWS key:signature", "", AuthFailure),
        ("AWS key:signature", "yesterday", AuthFailure),
        ("AWS key:signature", "Fri, 31 Dec 9999 23:59:59 -2300", AuthFailure),
        ("AWS key:signature", "Fri, 99999999999 Dec 2010 23:59:59 GMT", AuthFailure),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request", "", MalformedAuthorization),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261122/c/d/aws4_request,SignedHeaders=date,"
            "Signature=1",
            "Sun, 22 Nov 2026 00:00:00 GMT",
            MalformedAuthorization,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261121/c/d/aws4_request,SignedHeaders=host,"
            "Signature=1",
            "Sun, 22 Nov 2026 00:00:00 GMT",
            MalformedAuthorization,
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/20261122/c/d/aws4_request,SignedHeaders=host,"
            "Signature=1",
            "Sun, 22 Nov 2026 00:00:00 GMT",
            PayloadUnsigned,
        ),
    ],
)
def test_unsigned(text: str, date: str, error: type[NovaError]) -> None:
    """A request without a whole signature and a time is refused, and told which is wrong."""
    headers = {"authorization": text, "date": date}
    with pytest.raises(NovaError) as caught:
        claim(S3Request("GET", "/bucket", (), headers), now())
    assert type(caught.value) is error


def test_last_colon() -> None:
    """The signature is what follows the last colon; the project may be left out."""
    fields = {"date": "x", "x-amz-date": f"{now():%Y%m%dT%H%M%SZ}"}
    for access, expected in (("key:project", ("key", "project")), ("key", ("key", None))):
        fields["authorization"] = f"AWS {access}:c2ln"
        found = claim(S3Request("GET", "/", (), fields), now())
        assert (found.access_key, found.project_id) == expected


def test_own() -> None:
    """What we sign ourselves holds, and the query is part of it."""
    query = (("image_id", "ami-1"), ("image_location", "b/a b"))
    headers = sign("PUT", "h:1", "/_images", query, "key:project", SECRET, now())
    request = S3Request("PUT", "/_images", query, headers)
    claim(request, now()).verify(SECRET).finish()
    with pytest.raises(SignatureMismatch):
        claim(replace(request, query=query[:1]), now()).verify(SECRET)


def test_port_not_signed() -> None:
    """A client that leaves the port out of the Host header it signs is understood."""
    headers = sign("GET", "h", "/", (), "key:project", SECRET, now())
    request = S3Request("GET", "/", (), {**headers, "host": "h:3333"})
    claim(request, now()).verify(SECRET)


# Bodies.


def test_signed_body() -> None:
    """Version 4: a body that is not the signed one is refused at its end."""
    request = _signed(_v4(), "PUT", "/bucket/key", b"the body")
    good, bad = claim(request, now()).verify(SECRET), claim(request, now()).verify(SECRET)
    assert good.feed(b"the ") + good.feed(b"body") == b"the body"
    good.finish()
    bad.feed(b"another body")
    with pytest.raises(PayloadMismatch):
        bad.finish()


#: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
_SCOPE = "20130524/us-east-1/s3/aws4_request"
_CHUNKS = (
    (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)


def _signer() -> ChunkSigner:
    key = v4_signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", _SCOPE)
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    return ChunkSigner(key, _SCOPE, "20130524T000000Z", seed)


def _coded(letter: bytes = b"a") -> bytes:
    return b"".join(
        b"%x;chunk-signature=%s\r\n%s\r\n" % (size, signature.encode(), letter * size)
        for size, signature in _CHUNKS
    )


@pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
def test_chunks(step: int) -> None:
    """AWS's example of signed chunks is decoded and verified, in pieces of any size."""
    payload = ChunkedPayload(66560, _signer(), False)
    coded = _coded()
    decoded = b"".join(payload.feed(coded[at : at + step]) for at in range(0, len(coded), step))
    payload.finish()
    assert decoded == b"a" * 66560


def test_forged_chunk() -> None:
    """A chunk whose bytes are not the signed ones is refused."""
    payload = ChunkedPayload(66560, _signer(), False)
    with pytest.raises(SignatureMismatch):
        payload.feed(_coded(b"b"))


def test_cut_chunks() -> None:
    """A body without its last chunk is refused: somebody may have cut it off."""
    payload = ChunkedPayload(66560, _signer(), False)
    payload.feed(_coded()[:-90])
    with pytest.raises(MalformedPayload):
        payload.finish()


def test_trailer() -> None:
    """Unsigned chunks are joined, and the trailer after them is kept."""
    payload = ChunkedPayload(8, None, False)
    text = b"3\r\nabc\r\n5\r\ndefgh\r\n0\r\nx-amz-checksum-crc32: AAAA\r\n\r\n"
    assert payload.feed(text) == b"abcdefgh"
    payload.finish()
    assert payload.trailers == {"x-amz-checksum-crc32": "AAAA"}


@pytest.mark.parametrize("value", ["AAAA", "BBBB"])
def test_signed_trailer(value: str) -> None:
    """A trailer that is not the signed one is refused."""
    key = b"k" * 32
    signer = ChunkSigner(key, "scope", "time", "seed")
    last = signer.chunk(hashlib.sha256(b"").hexdigest())
    digest = hashlib.sha256(b"x-amz-checksum-crc32:AAAA\n").hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256-TRAILER", "time", "scope", last, digest))
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    coded = (
        f"0;chunk-signature={last}\r\nx-amz-checksum-crc32:{value}\r\n"
        f"x-amz-trailer-signature:{signature}\r\n\r\n"
    ).encode()
    payload = ChunkedPayload(0, ChunkSigner(key, "scope", "time", "seed"), True)
    if value == "AAAA":
        payload.feed(coded)
        payload.finish()
        assert payload.trailers == {"x-amz-checksum-crc32": "AAAA"}
    else:
        with pytest.raises(SignatureMismatch):
            payload.feed(coded)


@pytest.mark.parametrize(
    "text",
    [
        b"x\r\n",
        b"-1\r\n",
        b"1_0\r\n",
        b"\r\n",
        b"9\r\nmore than eight",
        b"3\r\nabcd\r\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n\r\nmore",
        b"0" * 5000,
        b"0\r\n" + b"a:b\r\n" * 20 + b"\r\n",
    ],
)
def test_malformed_chunks(text: bytes) -> None:
    """What is not coded in chunks is refused at once."""
    payload = ChunkedPayload(8, None, False)
    with pytest.raises(MalformedPayload):
        payload.feed(text)


def test_short() -> None:
    """A body that is shorter than announced is refused."""
    payload = ChunkedPayload(8, None, False)
    payload.feed(b"3\r\nabc\r\n0\r\n\r\n")
    with pytest.raises(MalformedPayload):
        payload.finish()


def test_decoded_length() -> None:
    """A body in chunks must say how long it is without them."""
    content = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    request = _signed(_v2(), "PUT", "/b/k", **{"x-amz-content-sha256": content})
    with pytest.raises(MalformedPayload):
        claim(request, now()).verify(SECRET)


def test_v2_vector() -> None:
    """Amazon's own example of version 2 has the signature that Amazon prints."""
    request = S3Request(
        "GET",
        "/awsexamplebucket1/photos/puppy.jpg",
        (),
        {"date": "Tue, 27 Mar 2007 19:36:42 +0000", "authorization": "AWS AKIAIOSFODNN7EXAMPLE:"},
    )
    signature = v2_signature("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", request)
    assert signature == "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="
    assert len(base64.b64decode(signature)) == 20
