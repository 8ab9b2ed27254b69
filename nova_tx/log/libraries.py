"""What libraries say to Python's C{logging}, brought into the daemon's log."""

from __future__ import annotations

import logging
from bisect import bisect_right

from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from nova_tx.log.levels import LEVELS, Levels

_NUMBERS = (0, 15, 25, 35, 45)
_TWISTED = (LogLevel.debug, LogLevel.info, LogLevel.warn, LogLevel.error, LogLevel.critical)
#: Below INFO SQLAlchemy tells every row that it reads: keys and secrets are among them.
_NEVER_BELOW = {"sqlalchemy": LEVELS["INFO"]}


class Relay(logging.Handler):
    """Says to C{twisted.logger} what it hears."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it again."""
        said: dict[str, object] = {
            "log_caller": {
                "funcName": record.funcName,
                "pathname": record.pathname,
                "lineno": record.lineno,
            }
        }
        if record.exc_info and record.exc_info[1] is not None:
            kind, value, traceback = record.exc_info
            said["log_failure"] = Failure(value, kind, traceback)
        try:
            text = record.getMessage()
        except Exception:  # the library's mistake
            text = str(record.msg)
        level = _TWISTED[bisect_right(_NUMBERS, record.levelno) - 1]
        Logger(namespace=record.name).emit(level, "{text}", text=text, **said)


def hear(levels: Levels) -> None:
    """From now on libraries are heard, each from its level on."""
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, Relay)] + [Relay()]
    for name, level in levels.of.items():
        least = max(
            (_NEVER_BELOW[of] for of in _NEVER_BELOW if f"{name}.".startswith(f"{of}.")), default=0
        )
        logging.getLogger(name or None).setLevel(max(level, least))
