"""Whether bytes are those that were stored: their digests are computed once more. Blocks."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from nova_tx.objectstore.composites import composite, etag_of
from nova_tx.objectstore.digests import Digest, new_digest
from nova_tx.objectstore.disk.files import runs_of, within
from nova_tx.objectstore.facts import Facts
from nova_tx.objectstore.faults import InvalidRequest
from nova_tx.objectstore.uploads import Part

_PIECE = 2**20

Seen = Callable[[int], object]


class _Digests:
    """Of the bytes of an object, or of a part."""

    def __init__(self, checksums: dict[str, str]) -> None:
        """
        @param checksums: those that are computed, beside the MD5; if they can be.
        """
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._others: dict[str, Digest] = {}
        for name in checksums:
            try:
                self._others[name] = new_digest(name)
            except InvalidRequest:
                continue

    def update(self, data: bytes) -> None:
        self._md5.update(data)
        for each in self._others.values():
            each.update(data)

    @property
    def etag(self) -> str:
        return self._md5.hexdigest()

    @property
    def checksums(self) -> dict[str, str]:
        found = self._others.items()
        return {name: base64.b64encode(each.digest()).decode() for name, each in found}


def _read(file: BinaryIO, runs: tuple[tuple[int, int], ...], seen: Seen) -> Iterator[bytes]:
    for first, count in runs:
        while count:
            data = os.pread(file.fileno(), min(_PIECE, count), first)
            if not data:
                raise ValueError("it is shorter than it was")
            seen(len(data))
            first += len(data)
            count -= len(data)
            yield data


def wrong(file: BinaryIO, facts: Facts, seen: Seen) -> str:
    """
    What is wrong with the bytes of an object, in words; empty if they are as they were.

    @param seen: called with the number of bytes that were read.
    """
    whole = _Digests(facts.checksums)
    parts: list[_Digests] = []
    runs = runs_of(file, facts)
    first = 0
    for size in facts.parts or (facts.size,):
        parts.append(_Digests(facts.checksums if facts.checksum_type == "COMPOSITE" else {}))
        for data in _read(file, within(runs, first, size), seen):
            whole.update(data)
            if facts.parts:
                parts[-1].update(data)
        first += size
    etag = etag_of([each.etag for each in parts]) if facts.parts else whole.etag
    if etag != facts.etag:
        return f"its bytes have the ETag {etag}, and not {facts.etag}"
    found = whole.checksums
    if facts.checksum_type == "COMPOSITE":
        names = parts[0].checksums
        found = {name: composite(name, [each.checksums[name] for each in parts]) for name in names}
    for name, value in found.items():
        if facts.checksums[name] != value:
            return f"its bytes have the {name} {value}, and not {facts.checksums[name]}"
    return ""


def wrong_part(file: BinaryIO, part: Part, first: int, seen: Seen) -> str:
    """What is wrong with the bytes of a part that begins at C{first}; see L{wrong}."""
    found = _Digests(part.checksums)
    for data in _read(file, ((first, part.size),), seen):
        found.update(data)
    if found.etag != part.etag:
        return f"the bytes of part {part.number} have the ETag {found.etag}, and not {part.etag}"
    for name, value in found.checksums.items():
        if part.checksums[name] != value:
            return f"the bytes of part {part.number} have the {name} {value}, which is another"
    return ""
