"""
What keeps processes apart that use the same files: locks that the kernel takes back from the
dead, and a directory for each of them with what is not there yet.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from contextlib import AbstractContextManager
from threading import RLock
from types import TracebackType

from twisted.internet.defer import DeferredLock

from nova_tx.objectstore.threads import IPool

#: Who holds it is alone: a lock of threads, or of the threads of several processes.
Alone = AbstractContextManager[object]

#: Seconds between looks at whether others are dead.
_LOOK = 0.05


class SharedLock:
    """A lock between threads and processes; who holds it may take it again."""

    def __init__(self, path: str) -> None:
        """
        @param path: of a file that stands for it; made when the lock is first taken.
        """
        self._path = path
        self._threads = RLock()
        self._depth = 0
        self._descriptor: int | None = None

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            if not self._depth:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise
        self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._descriptor is not None
        self._depth -= 1
        if not self._depth:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Nobody takes it any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class TurnLock:
    """A lock for C{async with}, of this process or of several."""

    def __init__(self, path: str | None, pool: IPool) -> None:
        """
        @param path: of a file that stands for it; None: it is of this process.
        @param pool: where other processes are waited for, by one thread at most.
        """
        self._path = path
        self._pool = pool
        self._mine = DeferredLock()
        self._descriptor: int | None = None

    async def __aenter__(self) -> None:
        await self._mine.acquire()
        if self._path is not None:
            try:
                self._descriptor = await self._pool.run(_wait_for, self._path)
            except BaseException:
                self._mine.release()
                raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._mine.release()


def _wait_for(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def claim(path: str) -> int | None:
    """
    A descriptor of a file or directory that is this process's as long as it is open; None if it
    is another living one's.

    @raise FileNotFoundError: it is not there (any more).
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(path).st_ino != os.fstat(descriptor).st_ino:
            raise FileNotFoundError(path)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class Workspace:
    """
    Where a process has the files that nobody is to see yet.

    @ivar path: its directory, once it is prepared.
    """

    def __init__(self, root: str, shared: bool) -> None:
        """
        @param root: for this and nothing else.
        @param shared: other processes have theirs in it, too.
        """
        self._root = root
        self._shared = shared
        self._held: int | None = None
        self.path = os.path.join(root, secrets.token_hex(8)) if shared else root

    def prepare(self, alone: Alone, wait: float = 0.0) -> bool:
        """
        Make the directory, remove what the dead left; returns whether no other process has one.

        @param alone: held by one process at a time.
        @param wait: seconds in which others are believed to die.
        """
        os.makedirs(self._root, mode=0o700, exist_ok=True)
        end = time.monotonic() + wait
        while True:
            with alone:
                left, others = self._others()
                if not others or time.monotonic() >= end:
                    if self._shared:
                        os.mkdir(self.path, mode=0o700)
                        self._held = claim(self.path)
                    break
            for _, descriptor in left:
                os.close(descriptor)
            time.sleep(_LOOK)
        for path, descriptor in left:
            _remove(path)
            os.close(descriptor)
        return not others

    def _others(self) -> tuple[list[tuple[str, int]], bool]:
        """What the dead left, claimed, and whether there are others that live."""
        left: list[tuple[str, int]] = []
        others = False
        for name in os.listdir(self._root):
            path = os.path.join(self._root, name)
            with contextlib.suppress(FileNotFoundError):
                found = claim(path)
                if found is None:
                    others = True
                else:
                    left.append((path, found))
        return left, others

    def close(self) -> None:
        """Nothing more is done here."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
            shutil.rmtree(self.path, ignore_errors=True)


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
