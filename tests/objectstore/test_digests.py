"""The digests that clients name."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest

from nova_tx.errors import NovaError
from nova_tx.objectstore.digests import ALGORITHMS, CHECKSUM, checked, digests, new_digest
from nova_tx.objectstore.faults import BadDigest, InvalidRequest, MalformedTrailer

NINE = b"123456789"
#: Of L{NINE}: the check values of the catalogue of CRC algorithms, and of xxHash.
KNOWN = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": hashlib.sha1(NINE).hexdigest(),
    "sha256": hashlib.sha256(NINE).hexdigest(),
    "sha512": hashlib.sha512(NINE).hexdigest(),
    "md5": hashlib.md5(NINE).hexdigest(),
    "xxhash64": "8cb841db40e6ae83",
}


def text(algorithm: str) -> str:
    """The digest of L{NINE} as a header has it."""
    return base64.b64encode(bytes.fromhex(KNOWN[algorithm])).decode()


@pytest.mark.parametrize("algorithm", KNOWN)
def test_known(algorithm: str) -> None:
    """Each is the one that the world knows by that name, however the bytes come."""
    digest = new_digest(algorithm)
    digest.update(NINE[:4])
    digest.update(memoryview(bytearray(NINE))[4:])
    assert digest.digest().hex() == KNOWN[algorithm]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_sizes(algorithm: str) -> None:
    """A digest has as many bytes as headers are checked to have."""
    digest = new_digest(algorithm)
    digest.update(NINE)
    assert len(digest.digest()) == ALGORITHMS[algorithm][0]


def _facts(headers: dict[str, str], trailers: dict[str, str] | None = None) -> dict[str, str]:
    """What is kept of a body L{NINE} that came with headers and trailers."""
    computed = digests(headers)
    for each in computed.values():
        each.update(NINE)
    return checked(headers, trailers or {}, computed)


@pytest.mark.parametrize("algorithm", KNOWN)
def test_announced(algorithm: str) -> None:
    """A digest in a header or a trailer is kept, and none else."""
    found = {algorithm: text(algorithm)}
    header = {CHECKSUM + algorithm: text(algorithm)}
    sdk = {"x-amz-sdk-checksum-algorithm": algorithm.upper()}
    assert _facts(header) == _facts(header | sdk) == found
    assert _facts({"x-amz-trailer": CHECKSUM + algorithm} | sdk, header) == found
    assert _facts({f"{CHECKSUM}algorithm": algorithm.upper()}) == found
    assert _facts({f"{CHECKSUM}mode": "ENABLED"}) == {}


CRC = {f"{CHECKSUM}crc32": base64.b64encode(zlib.crc32(NINE).to_bytes(4, "big")).decode()}
SHA = {f"{CHECKSUM}sha1": text("sha1")}
SDK = "x-amz-sdk-checksum-algorithm"
TRAILER = {"x-amz-trailer": f"{CHECKSUM}crc32"}


@pytest.mark.parametrize(
    ("headers", "trailers", "error"),
    [
        (CRC | SHA, {}, InvalidRequest),
        (CRC | TRAILER, CRC, InvalidRequest),
        ({"x-amz-trailer": f"{CHECKSUM}crc32,{CHECKSUM}sha1"}, CRC | SHA, InvalidRequest),
        ({"x-amz-trailer": "x-amz-meta-a"}, {}, InvalidRequest),
        ({f"{CHECKSUM}crc32": "not base64"}, {}, InvalidRequest),
        ({f"{CHECKSUM}crc32": "AAAA"}, {}, InvalidRequest),
        ({f"{CHECKSUM}crc32": "ÄÄ=="}, {}, InvalidRequest),
        ({f"{CHECKSUM}crc31": "AAAAAA=="}, {}, InvalidRequest),
        ({f"{CHECKSUM}algorithm": "CRC31"}, {}, InvalidRequest),
        (CRC | {SDK: "SHA1"}, {}, InvalidRequest),
        ({SDK: "SHA1"}, {}, InvalidRequest),
        ({f"{CHECKSUM}crc32": "AAAAAA=="}, {}, BadDigest),
        (TRAILER, {f"{CHECKSUM}crc32": "AAAAAA=="}, BadDigest),
        (TRAILER, {f"{CHECKSUM}crc32": "AAAA"}, InvalidRequest),
        (TRAILER, {}, MalformedTrailer),
    ],
)
def test_refused(headers: dict[str, str], trailers: dict[str, str], error: type[NovaError]) -> None:
    """One digest is announced, of its form, sent, and right."""
    with pytest.raises(error):
        _facts(headers, trailers)
