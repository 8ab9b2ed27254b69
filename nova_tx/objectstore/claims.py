"""
Who works on an image: one at a time, whichever process it is in.

A claim is a file that its holder has locked: the kernel takes it back from the dead.
"""

from __future__ import annotations

import fcntl
import os
from threading import Lock


class Claims:
    """Claims of a process. Everything here blocks, but not for another's claim."""

    def __init__(self, path: str | None) -> None:
        """
        @param path: a directory that other processes know, too; None: there are none.
        """
        self._path = path
        self._held: dict[str, int | None] = {}
        self._lock = Lock()

    def take(self, name: str) -> bool:
        """Claim something; False if somebody has it."""
        with self._lock:
            if name in self._held:
                return False
            if self._path is None:
                self._held[name] = None
                return True
            os.makedirs(self._path, mode=0o700, exist_ok=True)
            descriptor = _locked(os.path.join(self._path, name))
            if descriptor is not None:
                self._held[name] = descriptor
            return descriptor is not None

    def give_back(self, name: str) -> None:
        """Let others have it."""
        with self._lock:
            descriptor = self._held.pop(name)
            if descriptor is not None and self._path is not None:
                os.unlink(os.path.join(self._path, name))
                os.close(descriptor)


def _locked(path: str) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        # who had it has just removed it
        os.close(descriptor)
