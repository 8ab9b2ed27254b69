"""From which level on each logger is heard.                               [spec/14 J17, J89]"""

from __future__ import annotations

from twisted.logger import LogLevel

from nova_tx.errors import StartupError
from nova_tx.flags import LogFlags

LEVELS = {
    "NOTSET": 0,
    "DEBUG": 10,
    "INFO": 20,
    "AUDIT": 21,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "CRITICAL": 50,
    "FATAL": 50,
}
#: Twisted's levels as numbers.
OF_TWISTED = {
    LogLevel.debug: 10,
    LogLevel.info: 20,
    LogLevel.warn: 30,
    LogLevel.error: 40,
    LogLevel.critical: 50,
}
#: What does here what a library of 2011 did, whose name flag files have.
_NOW = {
    "amqplib": "txamqp",
    "carrot": "nova_tx.rpc",
    "eventlet.wsgi.server": "twisted.web",
    "nova": "nova_tx",
}


class Levels:
    """The level of each logger: its own, or that of the nearest above it; else the daemon's."""

    def __init__(self, flags: LogFlags) -> None:
        """
        @raise StartupError: C{default_log_levels} is not understood.
        """
        self.of = {"": LEVELS["DEBUG" if flags.verbose else "INFO"]}
        for pair in flags.default_log_levels:
            name, equals, level = (part.strip() for part in pair.partition("="))
            if not (name and equals and level.upper() in LEVELS):
                raise StartupError(
                    f"--default_log_levels: {pair!r} is not logger=LEVEL, with one of"
                    f" {', '.join(LEVELS)}"
                )
            self.of[_now(name)] = LEVELS[level.upper()]
        self._found: dict[str, int] = {}

    def least(self, name: str) -> int:
        """The lowest level of which a logger is heard."""
        level = self._found.get(name)
        if level is None:
            above = [each for each in self.of if f"{name}.".startswith(f"{each}.") or not each]
            level = self._found[name] = self.of[max(above, key=len)]
        return level


def _now(name: str) -> str:
    for old, new in _NOW.items():
        if f"{name}.".startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name
