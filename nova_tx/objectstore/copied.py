"""What is known of bytes that are copied: as it was, or computed once more. Pure."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

from nova_tx.objectstore.digests import Digest, new_digest
from nova_tx.objectstore.facts import Facts

_MD5 = "md5"


def _new(name: str) -> Digest:
    return hashlib.md5(usedforsecurity=False) if name == _MD5 else new_digest(name)


class Copied:
    """
    A copy of an object: one that came whole, whatever the object was.

    @ivar digests: are to be given its bytes; none are needed if all is known already.
    """

    def __init__(self, facts: Facts, change: Callable[[Facts], Facts], algorithm: str) -> None:
        """
        @param change: what else is another.
        @param algorithm: of the checksum that it is to have; empty: those that it has.
        """
        self._facts = facts
        self._change = change
        # those of parts say nothing of the whole
        known = {} if facts.checksum_type == "COMPOSITE" else facts.checksums
        names = (algorithm,) if algorithm else tuple(facts.checksums)
        self._checksums = {name: known.get(name) for name in names}
        needed = [name for name, value in self._checksums.items() if value is None]
        self.digests = {name: _new(name) for name in ([_MD5] if facts.parts else []) + needed}

    def update(self, piece: bytes) -> None:
        """Some more of its bytes."""
        for digest in self.digests.values():
            digest.update(piece)

    def facts(self) -> Facts:
        """What is known of the copy, now that all of it passed."""
        etag = self.digests[_MD5].digest().hex() if _MD5 in self.digests else self._facts.etag
        checksums = {
            name: value if value is not None else _text(self.digests[name])
            for name, value in self._checksums.items()
        }
        return self._change(
            replace(
                self._facts,
                etag=etag,
                modified=time.time(),
                checksums=checksums,
                checksum_type="FULL_OBJECT",
                parts=(),
            )
        )


class CopiedPart:
    """
    A part of an object that is copied.

    @ivar digests: are to be given its bytes.
    """

    def __init__(self, size: int, algorithm: str) -> None:
        """
        @param algorithm: of the checksum that it is to have; empty: none.
        """
        self._size = size
        self._algorithm = algorithm
        self.digests = {name: _new(name) for name in (_MD5, algorithm) if name}

    def update(self, piece: bytes) -> None:
        """Some more of its bytes."""
        for digest in self.digests.values():
            digest.update(piece)

    def facts(self) -> Facts:
        """What is known of the part, now that all of it passed."""
        name = self._algorithm
        checksums = {name: _text(self.digests[name])} if name else {}
        etag = self.digests[_MD5].digest().hex()
        return Facts(self._size, etag, time.time(), {}, checksums)


def _text(digest: Digest) -> str:
    return base64.b64encode(digest.digest()).decode()
