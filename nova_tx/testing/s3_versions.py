"""
What may be behind each key of a bucket while it is written: one version, or several when a
request is on its way or had no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

#: Bytes of a part of what is uploaded in parts; the last may have fewer.
PART = 5 * 2**20
#: The bytes of an object; or that there is none.
Version = bytes | None


class Versions:
    """
    Of each key the versions that may be there; for many threads.

    Who reads may see what could be there when it began, and what has become possible since.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._now: dict[str, set[Version]] = {}
        self._seen: dict[str, list[set[Version]]] = {}

    def add(self, keys: Iterable[str]) -> None:
        """Keys that have no object."""
        with self._lock:
            for key in keys:
                self._now[key], self._seen[key] = {None}, []

    def named(self, prefix: str = "") -> list[str]:
        """The keys that begin so, in order."""
        return sorted(key for key in self._now if key.startswith(prefix))

    def moving(self) -> list[str]:
        """Keys that are being changed."""
        with self._lock:
            return [key for key, there in self._now.items() if len(there) > 1]

    def now(self, key: str) -> set[Version]:
        """What may be there."""
        with self._lock:
            return set(self._now[key])

    def may_be(self, key: str, version: Version) -> None:
        """From now on it may be this as well."""
        with self._lock:
            for each in (self._now[key], *self._seen[key]):
                each.add(version)

    def is_now(self, key: str, version: Version) -> None:
        """From now on it is nothing else."""
        with self._lock:
            self._now[key] = {version}

    @contextmanager
    def seen(self, *keys: str) -> Iterator[dict[str, set[Version]]]:
        """Of some keys, what may be there now or at some time before this ends."""
        with self._lock:
            found = {key: set(self._now[key]) for key in keys}
            for key, there in found.items():
                self._seen[key].append(there)
        try:
            yield found
        finally:
            with self._lock:
                for key, there in found.items():
                    # not by equality, for others see the same
                    self._seen[key] = [each for each in self._seen[key] if each is not there]


def etags(content: bytes) -> set[str]:
    """Those that an object may have: as it came at once, or in parts."""
    parts = [content[at : at + PART] for at in range(0, len(content), PART)]
    whole = hashlib.md5(content, usedforsecurity=False).hexdigest()
    digests = b"".join(hashlib.md5(each, usedforsecurity=False).digest() for each in parts)
    composite = hashlib.md5(digests, usedforsecurity=False).hexdigest()
    return {f'"{whole}"', f'"{composite}-{len(parts)}"'}


def told(version: Version) -> str:
    """A version, for a person."""
    if version is None:
        return "nothing"
    return f"{len(version)} bytes {hashlib.sha256(version).hexdigest()[:12]}"
