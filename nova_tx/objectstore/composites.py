"""Digests of an object that came in parts, made of those of its parts. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from nova_tx.objectstore.digests import new_digest


def etag_of(etags: Sequence[str]) -> str:
    """S3's ETag of an object by those of its parts."""
    found = hashlib.md5(b"".join(map(bytes.fromhex, etags)), usedforsecurity=False)
    return f"{found.hexdigest()}-{len(etags)}"


def composite(algorithm: str, values: Sequence[str]) -> str:
    """The checksum of the checksums of parts, in base64, with their count."""
    found = new_digest(algorithm)
    found.update(b"".join(map(base64.b64decode, values)))
    return f"{base64.b64encode(found.digest()).decode()}-{len(values)}"


@dataclass(frozen=True)
class _Ring:
    """
    Polynomials modulo that of a CRC, which has them mirrored: the highest bit is C{x^0}.

    @ivar bits: of the CRC.
    @ivar modulus: without its highest power.
    """

    bits: int
    modulus: int

    def times(self, one: int, other: int) -> int:
        """A product."""
        found, bit = 0, 1 << (self.bits - 1)
        while one:
            if one & bit:
                found ^= other
                one ^= bit
            bit >>= 1
            other = other >> 1 ^ (self.modulus if other & 1 else 0)
        return found

    def zeros(self, count: int) -> int:
        """What a CRC is multiplied by when C{count} bytes follow."""
        found, power = 1 << (self.bits - 1), 1 << (self.bits - 9)  # x^0, x^8
        while count:
            if count & 1:
                found = self.times(found, power)
            power = self.times(power, power)
            count >>= 1
        return found


_RINGS = {
    "crc32": _Ring(32, 0xEDB88320),
    "crc32c": _Ring(32, 0x82F63B78),
    "crc64nvme": _Ring(64, 0x9A6C9329AC4BC9B5),
}
#: Checksums of a whole that are known when those of its parts are.
LINEAR = frozenset(_RINGS)


def whole(algorithm: str, parts: Sequence[tuple[str, int]]) -> str:
    """
    The checksum in base64 of parts one after the other.

    @param algorithm: of L{LINEAR}.
    @param parts: the checksum and the size of each.
    """
    ring = _RINGS[algorithm]
    found = 0
    zeros: dict[int, int] = {}  # most parts are of one size
    for value, size in parts:
        if size not in zeros:
            zeros[size] = ring.zeros(size)
        found = ring.times(found, zeros[size]) ^ int.from_bytes(base64.b64decode(value), "big")
    return base64.b64encode(found.to_bytes(ring.bits // 8, "big")).decode()
