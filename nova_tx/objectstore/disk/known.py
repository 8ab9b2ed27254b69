"""Buckets that were read, so that not every request reads them again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from nova_tx.objectstore.facts import Bucket

#: Seconds for which a bucket that others may change is believed unseen.
BELIEVED = 1.0


class Known:
    """
    Buckets by name.

    Where other processes change them, too, a file that was replaced is read again; without a look
    at the file a bucket is believed for L{BELIEVED} seconds.
    """

    def __init__(self, shared: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """
        @param shared: others change buckets.
        """
        self._shared = shared
        self._clock = clock
        self._found: dict[str, tuple[Bucket, tuple[int, int], float]] = {}

    def believed(self, name: str) -> Bucket | None:
        """A bucket, by what was seen lately; does not block."""
        bucket, _, seen = self._found.get(name, (None, None, 0.0))
        if self._shared and bucket is not None and self._clock() - seen > BELIEVED:
            return None
        return bucket

    def certain(self, name: str, path: str) -> Bucket | None:
        """A bucket whose file is the one that was read."""
        if not self._shared:
            return self.believed(name)
        found = self._found.get(name)
        if found is None:
            return None
        now = self._clock()
        try:
            same = _version(os.stat(path)) == found[1]
        except (FileNotFoundError, NotADirectoryError):
            same = False
        if not same:
            self.forget(name)
            return None
        self._found[name] = (*found[:2], now)
        return found[0]

    def learn(self, bucket: Bucket, path: str | int) -> None:
        """What was read of a file, or written to it; nobody replaces it meanwhile."""
        self._found[bucket.name] = (bucket, _version(os.stat(path)), self._clock())

    def forget(self, name: str) -> None:
        """It is gone, or another."""
        self._found.pop(name, None)


def _version(found: os.stat_result) -> tuple[int, int]:
    return found.st_ino, found.st_mtime_ns
