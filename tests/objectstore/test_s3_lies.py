"""Bodies that are not what their requests say: refused, and nothing of them is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from nova_tx.auth.s3_payload import ChunkSigner
from nova_tx.auth.s3_signatures import sign
from nova_tx.auth.signatures import v4_signing_key
from nova_tx.testing.asking import Asker, in_chunks

CONTENTS = [b"new", b"new" * 50_000]
WRONG = hashlib.sha256(b"another").hexdigest()
TRAILER = "x-amz-checksum-crc32"

#: A body, and the headers that it comes with.
Said = tuple[bytes, dict[str, str]]


def _crc(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _long_by(count: int, content: bytes) -> Said:
    body, headers = in_chunks(content)
    return body, {**headers, "x_amz_decoded_content_length": str(len(content) + count)}


def _cut(content: bytes) -> Said:
    body, headers = in_chunks(content)
    return body.removesuffix(b"0\r\n\r\n"), headers


def _untold(content: bytes) -> Said:
    body, headers = in_chunks(content)
    return body, {**headers, "x_amz_trailer": TRAILER}


LIES: list[tuple[Callable[[bytes], Said], str]] = [
    (lambda body: (body, {"x_amz_content_sha256": WRONG}), "XAmzContentSHA256Mismatch"),
    (lambda body: (body, {"content_md5": _md5(b"another")}), "BadDigest"),
    (lambda body: (body, {"x_amz_checksum_crc32": _crc(b"another")}), "BadDigest"),
    (lambda body: in_chunks(body, f"{TRAILER}:{_crc(b'another')}"), "BadDigest"),
    (_untold, "MalformedTrailerError"),
    (lambda body: _long_by(1, body), "IncompleteBody"),
    (lambda body: _long_by(-1, body), "IncompleteBody"),
    (_cut, "IncompleteBody"),
]


@pytest.mark.parametrize("content", CONTENTS, ids=["small", "large"])
@pytest.mark.parametrize(("lie", "code"), LIES)
async def test_lies(door: Asker, content: bytes, lie: Callable[[bytes], Said], code: str) -> None:
    """Whatever a body lies about, the object and the part that it was to be stay what they were."""
    upload = (await door.ask("POST", "/bucket/parts?uploads")).members["UploadId"]
    part = f"/bucket/parts?partNumber=1&uploadId={upload}"
    body, headers = lie(content)
    for target in ("/bucket/key", part):
        assert (await door.ask("PUT", target, b"old")).status == 200
        assert (await door.ask("PUT", target, body, **headers)).code == (400, code)
    await _nothing_new(door)
    listed = await door.ask("GET", f"/bucket/parts?uploadId={upload}")
    assert listed.texts("Part/Size") == ["3"]


async def _nothing_new(door: Asker) -> None:
    assert (await door.ask("GET", "/bucket/key")).body == b"old"
    unfinished = door.running.directory / "buckets" / ".new"
    assert list(unfinished.iterdir()) == []


def _signed(door: Asker, content: bytes, trailing: bool, forge: str) -> Said:
    """
    Chunks that are signed, and a trailer that is.

    @param forge: which signature is another one; "" for none.
    """
    now = datetime.now(UTC)
    coding = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailing else "")
    more = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(content))}
    if trailing:
        more["x-amz-trailer"] = TRAILER
    host = f"127.0.0.1:{door.running.port}"
    path, key, secret = "/bucket/key", "joe-access:joe", "joe-secret"
    headers = sign("PUT", host, path, (), key, secret, now, coding, more=more)
    del headers["host"]
    seed = headers["authorization"].rpartition("=")[2]
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/nova/s3/aws4_request"
    signer = ChunkSigner(v4_signing_key(secret, scope), scope, stamp, seed)
    body = b""
    for chunk in (content, b""):
        signature = signer.chunk(hashlib.sha256(chunk).hexdigest())
        if forge == "chunk":
            signature = _another(signature)
        body += f"{len(chunk):x};chunk-signature={signature}\r\n".encode() + chunk
        body += b"\r\n" if chunk else b""
    if trailing:
        line = f"{TRAILER}:{_crc(content)}"
        signature = signer.trailer(hashlib.sha256(f"{line}\n".encode()).hexdigest())
        if forge == "trailer":
            signature = _another(signature)
        body += f"{line}\r\nx-amz-trailer-signature:{signature}\r\n".encode()
    return body + b"\r\n", {name.replace("-", "_"): value for name, value in headers.items()}


def _another(signature: str) -> str:
    return hmac.new(b"another", signature.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("content", CONTENTS, ids=["small", "large"])
@pytest.mark.parametrize(
    ("trailing", "forge"),
    [(False, ""), (False, "chunk"), (True, ""), (True, "chunk"), (True, "trailer")],
)
async def test_signed_chunks(door: Asker, content: bytes, trailing: bool, forge: str) -> None:
    """Signed chunks are stored as what is in them, if all of their signatures are right."""
    await door.ask("PUT", "/bucket/key", b"old")
    body, headers = _signed(door, content, trailing, forge)
    answer = await door.ask("PUT", "/bucket/key", body, user="", **headers)
    if forge:
        assert answer.code == (403, "SignatureDoesNotMatch")
        await _nothing_new(door)
    else:
        assert answer.code == (200, "")
        assert answer.headers.get(TRAILER) == (_crc(content) if trailing else None)
        assert (await door.ask("GET", "/bucket/key")).body == content
