"""Digests that are made of digests."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nova_tx.objectstore.composites import _RINGS, composite, etag_of, whole


def _crc(name: str, content: bytes) -> str:
    """Bit by bit, as the definition has it."""
    ring = _RINGS[name]
    mask = (1 << ring.bits) - 1
    found = mask
    for byte in content:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (ring.modulus if found & 1 else 0)
    return base64.b64encode((found ^ mask).to_bytes(ring.bits // 8, "big")).decode()


@pytest.mark.parametrize(
    ("name", "check"),
    [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")],
)
def test_rings(name: str, check: str) -> None:
    """The moduli are those of the CRCs that S3 has, by the check values of their catalogue."""
    assert base64.b64decode(_crc(name, b"123456789")).hex() == check


@given(
    name=st.sampled_from(sorted(_RINGS)),
    parts=st.lists(st.binary(max_size=40), min_size=1, max_size=5),
)
def test_whole(name: str, parts: list[bytes]) -> None:
    """The CRC of a whole is known by those of its parts and their sizes."""
    told = [(_crc(name, each), len(each)) for each in parts]
    assert whole(name, told) == _crc(name, b"".join(parts))


def test_whole_of_large_parts() -> None:
    """Parts of many megabytes are no more work."""
    parts = [b"a" * 2**23, b"b" * 2**23, b"end"]
    told = [
        (base64.b64encode(zlib.crc32(each).to_bytes(4, "big")).decode(), len(each))
        for each in parts
    ]
    expected = zlib.crc32(b"".join(parts)).to_bytes(4, "big")
    assert base64.b64decode(whole("crc32", told)) == expected


def test_composite() -> None:
    """A checksum of checksums is of their bytes, and tells how many they were."""
    values = [hashlib.sha256(each).digest() for each in (b"one", b"two")]
    found, _, count = composite(
        "sha256", [base64.b64encode(each).decode() for each in values]
    ).rpartition("-")
    assert (base64.b64decode(found), count) == (hashlib.sha256(b"".join(values)).digest(), "2")
    etags = [hashlib.md5(each).hexdigest() for each in (b"one", b"two")]
    expected = hashlib.md5(b"".join(bytes.fromhex(each) for each in etags)).hexdigest()
    assert etag_of(etags) == f"{expected}-2"
