"""
Where lines go: a file, the descriptor of a terminal or a pipe, syslog.

A line that can't be written is lost, and counted; the daemon goes on.
"""

from __future__ import annotations

import os
import socket
import syslog
import time
from collections.abc import Callable
from typing import Protocol

from nova_tx.errors import StartupError
from nova_tx.flags import LogFlags

DEV_LOG = "/dev/log"
#: Bytes of a message that syslog takes, as rsyslog does unless told otherwise.
_LONGEST = 8192
#: Severities of syslog by the level's name.                                  [RFC 5424 6.2.1]
_SEVERITIES = {
    "CRITICAL": syslog.LOG_CRIT,
    "ERROR": syslog.LOG_ERR,
    "WARNING": syslog.LOG_WARNING,
    "INFO": syslog.LOG_INFO,
    "DEBUG": syslog.LOG_DEBUG,
}


class Output(Protocol):
    """Where lines go."""

    def write(self, level: str, text: str) -> None:
        """
        Take a line, or several, which end in a newline.

        @raise OSError: it is lost.
        """

    def reopen(self) -> None:
        """Whoever rotates logs has renamed the file."""

    def close(self) -> None:
        """Let go."""


class Descriptor:
    """An open file: standard output."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._torn = False

    def write(self, level: str, text: str) -> None:
        left = text.encode("utf-8", "backslashreplace")
        if self._torn:  # the beginning of a line that found no room
            left = b"\n" + left
        while left:
            written = os.write(self._number, left)
            left = left[written:]
            self._torn = bool(left)

    def reopen(self) -> None:
        """It has no name."""

    def close(self) -> None:
        """It is not ours."""


class File(Descriptor):
    """
    A file that is appended to; others may append to it, too.

    It follows its name: when the file is renamed or removed, the next line begins another.
    """

    def __init__(self, path: str) -> None:
        """
        @raise StartupError: it can't be opened.
        """
        self._path = os.path.abspath(path)
        try:
            super().__init__(_open(self._path))
        except OSError as error:
            raise StartupError(f"can't open log file {path}: {error.strerror}") from None
        self._is = os.fstat(self._number)

    def write(self, level: str, text: str) -> None:
        try:
            there = os.stat(self._path)
            moved = (there.st_dev, there.st_ino) != (self._is.st_dev, self._is.st_ino)
        except OSError:
            moved = True
        if moved:
            self.reopen()
        super().write(level, text)

    def reopen(self) -> None:
        try:
            number = _open(self._path)
        except OSError:
            return  # the old one is better than none
        self.close()
        self._number, self._torn = number, False
        self._is = os.fstat(number)

    def close(self) -> None:
        os.close(self._number)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


class Syslog:
    """
    The host's syslog, by its socket.

    Nobody waits for it: what its queue has no room for is lost.  It may be started anew.
    """

    def __init__(
        self, tag: str, path: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        """
        @param tag: the program's name.
        """
        self._tag = tag
        self._path = path or DEV_LOG
        self._now = now
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, level: str, text: str) -> None:
        number = syslog.LOG_USER | _SEVERITIES[level]  # Nova's facility
        stamp = time.strftime("%b %e %H:%M:%S", time.localtime(self._now()))
        head = f"<{number}>{stamp} {self._tag}[{os.getpid()}]: "
        line = "".join(map(_escaped, text.removesuffix("\n")))
        message = (head + line).encode("utf-8", "backslashreplace")
        if len(message) > _LONGEST:
            message = message[:_LONGEST].decode("utf-8", "ignore").encode()
        self._socket.sendto(message, self._path)

    def reopen(self) -> None:
        """Each message finds it by its name."""

    def close(self) -> None:
        self._socket.close()


def _escaped(character: str) -> str:
    """As rsyslog writes control characters: a newline is #012."""
    number = ord(character)
    return f"#{number:03o}" if number < 32 or number == 127 else character


def path(flags: LogFlags, program: str) -> str | None:
    """The log file of a program, as flags C{logfile} and C{logdir} say; None: none."""
    if not flags.logdir:
        return flags.logfile or None
    return os.path.join(flags.logdir, flags.logfile or f"{program}.log")
