"""Which checksum an object is to have, as the headers of a request say. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from nova_tx.objectstore.composites import LINEAR
from nova_tx.objectstore.digests import CHECKSUM, new_digest
from nova_tx.objectstore.faults import InvalidRequest

FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
_ALGORITHM, _TYPE, _MODE = CHECKSUM + "algorithm", CHECKSUM + "type", CHECKSUM + "mode"


def asked_algorithm(headers: Mapping[str, str]) -> str:
    """
    The algorithm that is asked for, in lower case; empty if none is.

    @raise InvalidRequest: there is none of that name.
    """
    name = headers.get(_ALGORITHM, "").strip().lower()
    if name:
        new_digest(name)
    return name


def asked_type(headers: Mapping[str, str], algorithm: str) -> str:
    """
    What an object's checksum is to be of: its bytes, or the checksums of its parts.

    @param algorithm: that of the parts' checksums; empty: there are none.
    @raise InvalidRequest: it can't be made so.
    """
    type_ = headers.get(_TYPE, "").upper()
    if not algorithm:
        if type_:
            raise InvalidRequest(
                f"The {_TYPE} header can only be used with the {_ALGORITHM} header."
            )
        return ""
    able = {COMPOSITE} if algorithm != "crc64nvme" else set()
    if algorithm in LINEAR:
        able.add(FULL_OBJECT)
    if not type_:
        return COMPOSITE if COMPOSITE in able else FULL_OBJECT
    if type_ not in (COMPOSITE, FULL_OBJECT):
        raise InvalidRequest(f"Value for {_TYPE} header is invalid.")
    if type_ not in able:
        raise InvalidRequest(
            f"The {type_} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    return type_


def expected(headers: Mapping[str, str]) -> dict[str, str]:
    """The checksums that an object is said to have, by algorithm."""
    return {
        name.removeprefix(CHECKSUM): value
        for name, value in headers.items()
        if name.startswith(CHECKSUM) and name not in (_ALGORITHM, _TYPE, _MODE)
    }


def without(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers but those that speak of checksums."""
    return {name: value for name, value in headers.items() if not name.startswith(CHECKSUM)}
