"""The digests of a body that clients can name, and S3 keeps: C{x-amz-checksum-…}."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nova_tx.objectstore.faults import BadDigest, InvalidRequest, MalformedTrailer

CHECKSUM = "x-amz-checksum-"
#: Headers that begin like a checksum and are none.
_NO_CHECKSUM = frozenset(CHECKSUM + name for name in ("mode", "algorithm", "type"))
#: Which algorithm a client means; the first is what SDKs send beside a body.
_NAMING = ("x-amz-sdk-checksum-algorithm", CHECKSUM + "algorithm")
_TRAILER = "x-amz-trailer"


class Digest(Protocol):
    """What is computed of bytes as they pass."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Some more bytes."""

    def digest(self) -> bytes:
        """Of all that passed."""
        ...


class _Crc:
    def __init__(self, size: int, add: Callable[[bytes | memoryview, int], int]) -> None:
        self._size = size
        self._add = add
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._add(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    def __init__(self, hashing: Any) -> None:
        self._hashing = hashing

    def update(self, data: bytes | memoryview, /) -> None:
        self._hashing.update(bytes(data))  # it takes nothing else

    def digest(self) -> bytes:
        found: bytes = self._hashing.finalize()
        return found


def _awscrt() -> Any:
    # when it is asked for: few do, and it has a library of 3 MB
    from awscrt import checksums

    return checksums


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


#: By the name that the header has, with the bytes of the digest.
ALGORITHMS: Mapping[str, tuple[int, Callable[[], Digest]]] = {
    "crc32": (4, lambda: _Crc(4, zlib.crc32)),
    "crc32c": (4, lambda: _Crc(4, _awscrt().crc32c)),
    "crc64nvme": (8, lambda: _Crc(8, _awscrt().crc64nvme)),
    "sha1": (20, hashlib.sha1),
    "sha256": (32, hashlib.sha256),
    "sha512": (64, hashlib.sha512),
    "md5": (16, _md5),
    "xxhash64": (8, lambda: _XxHash(_awscrt().XXHash.new_xxhash64())),
    "xxhash3": (8, lambda: _XxHash(_awscrt().XXHash.new_xxhash3_64())),
    "xxhash128": (16, lambda: _XxHash(_awscrt().XXHash.new_xxhash3_128())),
}


def new_digest(algorithm: str) -> Digest:
    """
    Of an algorithm by its name.

    @raise InvalidRequest: S3 has none of that name.
    """
    return ALGORITHMS[known_algorithm(algorithm)][1]()


def known_algorithm(name: str) -> str:
    """
    The algorithm that a client names, in lower case.

    @raise InvalidRequest: S3 has none of that name.
    """
    found = name.strip().lower()
    if found not in ALGORITHMS:
        known = ", ".join(sorted(each.upper() for each in ALGORITHMS))
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{known}]"
        )
    return found


def digests(headers: Mapping[str, str]) -> dict[str, Digest]:
    """
    What to compute of a body, by the algorithm's name, as its headers say: one or nothing.

    @raise InvalidRequest: they announce several, or what can't be a digest.
    """
    values = [name for name in headers if name.startswith(CHECKSUM) and name not in _NO_CHECKSUM]
    trailers = _trailers(headers)
    if len(values) + len(trailers) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    wanted = {known_algorithm(name.removeprefix(CHECKSUM)) for name in (*values, *trailers)}
    for name in values:
        _check_form(name, headers[name], "header")
    named = _named(headers)
    if wanted and not named <= wanted:
        raise InvalidRequest(f"Value for {_NAMING[0]} header is invalid.")
    if not wanted and _NAMING[0] in headers:
        raise InvalidRequest(
            f"{_NAMING[0]} specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
            "headers were found."
        )
    return {name: new_digest(name) for name in wanted or named}


def _trailers(headers: Mapping[str, str]) -> list[str]:
    names = [each.strip().lower() for each in headers.get(_TRAILER, "").split(",")]
    found = [name for name in names if name]
    if any(not name.startswith(CHECKSUM) or name in _NO_CHECKSUM for name in found):
        raise InvalidRequest(f"The value specified in the {_TRAILER} header is not supported")
    return found


def _named(headers: Mapping[str, str]) -> set[str]:
    return {known_algorithm(headers[name]) for name in _NAMING if name in headers}


def _check_form(name: str, value: str, where: str) -> None:
    try:
        found = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != ALGORITHMS[name.removeprefix(CHECKSUM)][0]:
        raise InvalidRequest(f"Value for {name} {where} is invalid.")


def checked(
    headers: Mapping[str, str], trailers: Mapping[str, str], computed: Mapping[str, Digest]
) -> dict[str, str]:
    """
    The digests in base64, by the algorithm's name.

    @raise BadDigest: one is not what was announced.
    @raise InvalidRequest, MalformedTrailer: the trailers are not those that were announced.
    """
    announced = {**headers}
    for name in _trailers(headers):
        if name not in trailers:
            raise MalformedTrailer(f"the trailer {name} is missing")
        _check_form(name, trailers[name], "trailing header")
        announced[name] = trailers[name]
    found = {name: base64.b64encode(each.digest()).decode() for name, each in computed.items()}
    for name, value in found.items():
        if announced.get(CHECKSUM + name, value) != value:
            raise BadDigest(
                f"The {name.upper()} you specified did not match the calculated checksum."
            )
    return found
