"""The digests of a body that clients can name, and S3 keeps: C{x-amz-checksum-…}."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Protocol

from nova_tx.objectstore.faults import BadDigest, NotImplementedHere

CHECKSUM = "x-amz-checksum-"
#: Headers that begin like a checksum and are none.
_NO_CHECKSUM = frozenset(("mode", "algorithm", "type"))


class Digest(Protocol):
    """What is computed of bytes as they pass."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Some more bytes."""

    def digest(self) -> bytes:
        """Of all that passed."""
        ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


_ALGORITHMS: dict[str, Callable[[], Digest]] = {
    "crc32": _Crc32,
    "sha1": hashlib.sha1,
    "sha256": hashlib.sha256,
}


def new_digest(algorithm: str) -> Digest:
    """
    Of an algorithm by its name.

    @raise NotImplementedHere: it is not known.
    """
    if algorithm not in _ALGORITHMS:
        raise NotImplementedHere(f"checksums of kind {algorithm} can't be verified here")
    return _ALGORITHMS[algorithm]()


def digests(headers: Mapping[str, str]) -> dict[str, Digest]:
    """
    What to compute of a body, by the algorithm's name, as its headers say.

    @raise NotImplementedHere: one is not known.
    """
    names = [
        *headers,
        *(each.strip().lower() for each in headers.get("x-amz-trailer", "").split(",")),
    ]
    wanted = {name.removeprefix(CHECKSUM) for name in names if name.startswith(CHECKSUM)}
    unknown = wanted - _NO_CHECKSUM - set(_ALGORITHMS)
    if unknown:
        raise NotImplementedHere(f"checksums of kind {min(unknown)} can't be verified here")
    return {name: _ALGORITHMS[name]() for name in sorted(wanted - _NO_CHECKSUM)}


def checked(announced: Mapping[str, str], computed: Mapping[str, Digest]) -> dict[str, str]:
    """
    The digests in base64, by the algorithm's name.

    @raise BadDigest: one is not what the headers or trailers say.
    """
    found = {name: base64.b64encode(each.digest()).decode() for name, each in computed.items()}
    for name, value in found.items():
        if announced.get(CHECKSUM + name) != value:
            raise BadDigest(f"the body's {name} is not the one in {CHECKSUM}{name}")
    return found
