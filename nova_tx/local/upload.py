"""
Files on their way into a bucket: several at once, each again if it fails, none that is there.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from nova_tx.local.boto_shim import BotoServerError, Bucket
from nova_tx.local.terminal import Bar

#: Files that are sent at once.
AT_ONCE = 4
#: Seconds before each further try of a file.
PAUSES = (1.0, 2.0, 4.0, 8.0)
_PIECE = 2**20


class Interrupted(Exception):
    """Somebody asked the whole to end."""


def missing(files: Sequence[Path], there: Mapping[str, str]) -> list[Path]:
    """
    Those of some files that a bucket does not have as they are.

    @param there: MD5 in hex of what it has, by key.
    """
    return [path for path in files if there.get(path.name) != _md5(path)]


def _md5(path: Path) -> str:
    found = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


class Upload:
    """One upload of several files into one bucket."""

    def __init__(
        self,
        bucket: Callable[[], Bucket],
        title: str,
        pauses: Sequence[float] = PAUSES,
        bar: Callable[[str, int], Bar] = Bar,
    ) -> None:
        """
        @param bucket: the bucket, over a connection of its own: each thread has one.
        """
        self._bucket = bucket
        self._title = title
        self._pauses = pauses
        self._bar = bar
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._sent: dict[str, int] = {}

    def run(self, files: Sequence[Path]) -> int:
        """
        Have these files in the bucket, the last one after all others; returns how many were sent.

        @raise BotoServerError, OSError: one could not be sent, however often it was tried.
        """
        bucket = self._bucket()
        common = _common([path.name for path in files])
        there = {key.name: key.etag.strip('"') for key in bucket.list(prefix=common)}
        *parts, last = files
        wanted = missing(files, there)
        sizes = {path: path.stat().st_size for path in files}
        bar = self._bar(self._title, sum(sizes.values()))
        with self._lock:
            self._sent = {path.name: sizes[path] for path in files if path not in wanted}
        try:
            self._several([path for path in parts if path in wanted], bar)
            if last in wanted:
                self._one(bucket, last, bar)
        finally:
            bar.end()
        return len(wanted)

    def _several(self, files: Sequence[Path], bar: Bar) -> None:
        local = threading.local()

        def send(path: Path) -> None:
            if not hasattr(local, "bucket"):
                local.bucket = self._bucket()
            self._one(local.bucket, path, bar)

        threads = ThreadPoolExecutor(AT_ONCE, "upload")
        futures: list[Future[None]] = [threads.submit(send, path) for path in files]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for each in done:
                each.result()
        except BaseException:  # one failed for good, or somebody wants an end of it
            self._stop.set()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        threads.shutdown()

    def _one(self, bucket: Bucket, path: Path, bar: Bar) -> None:
        for pause in (*self._pauses, None):
            try:
                bucket.new_key(path.name).set_contents_from_filename(
                    str(path),
                    headers={"x-amz-acl": "aws-exec-read"},
                    cb=lambda sent, _total: self._report(path.name, sent, bar),
                    num_cb=100,
                )
                self._report(path.name, path.stat().st_size, bar)
                return
            except (BotoServerError, OSError) as error:
                if pause is None or not _may_pass(error):
                    raise
            self._report(path.name, 0, bar)
            if self._stop.wait(pause):
                raise Interrupted

    def _report(self, name: str, sent: int, bar: Bar) -> None:
        if self._stop.is_set():
            raise Interrupted
        with self._lock:
            self._sent[name] = sent
            bar.show(sum(self._sent.values()))


def _may_pass(error: Exception) -> bool:
    """Whether another try may do: the connection broke, or the cloud was busy or away."""
    return not isinstance(error, BotoServerError) or int(error.status) >= 500


def _common(names: Sequence[str]) -> str:
    """What names begin with, all of them."""
    first, last = min(names), max(names)
    same = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(same, min(len(first), len(last)))]
