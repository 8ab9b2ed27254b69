"""
The files of a certificate authority: private, written whole, one process at a time.

All of it blocks.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from nova_tx.disk import sync_directory
from nova_tx.errors import AuthorityError
from nova_tx.ownership import give

_DIRECTORIES = ("", "private", "newcerts", "projects", "reqs")


class AuthorityFiles:
    """
    A directory that only its owner can look into.

    @ivar path: where it is.
    """

    def __init__(self, path: str, lock: str) -> None:
        """
        @param lock: the file that processes take turns by; its directory is made, too.
        """
        self.path = path
        self._lock = lock

    def at(self, name: str) -> str:
        """Where a file of it is."""
        return os.path.join(self.path, name)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(self.at(name))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """
        The directory is there, and this process's until the end; then it is the next one's.

        @raise AuthorityError: it, or a file in it, can't be used.
        """
        try:
            for name in _DIRECTORIES:
                self._make_directory(os.path.join(self.path, name).rstrip("/"))
            self._make_directory(os.path.dirname(self._lock))
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
            with open(os.open(self._lock, flags, 0o600), "wb") as lock:
                self._give(lock.fileno())
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise AuthorityError(
                f"the certificate authority can't use {error.filename or self.path}: "
                f"{error.strerror}"
            ) from None

    def read(self, name: str) -> bytes:
        """What a file holds."""
        with open(self.at(name), "rb") as file:
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; it outlives a power cut from here on."""
        new = self.at(name) + ".new"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            self._give(descriptor)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(new, self.at(name))
        sync_directory(os.path.dirname(new))

    def count(self, name: str, first: str) -> str:
        """
        The number to use now, hexadecimal; the file names the one after it.

        @param first: what it begins with.
        @raise AuthorityError: the file holds something else.
        """
        text = self.read(name).decode("ascii", "replace").strip() if self.has(name) else first
        try:
            number = int(text, 16)
        except ValueError:
            raise AuthorityError(f"{self.at(name)} holds no hexadecimal number") from None
        self.write(name, (_hexadecimal(number + 1) + "\n").encode())
        return _hexadecimal(number)

    def _make_directory(self, path: str) -> None:
        if not os.path.isdir(path):
            os.makedirs(path, mode=0o700, exist_ok=True)  # another may make it at this moment
            self._give(path)

    def _give(self, file: int | str) -> None:
        """To the owner of the state directory."""
        give(file, os.path.dirname(os.path.abspath(self.path)))


def _hexadecimal(number: int) -> str:
    """As openssl writes serial numbers: capitals, an even number of digits."""
    digits = f"{number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)
