"""The log of a daemon: who is heard, how it looks, where it goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel
from zope.interface import implementer

from nova_tx.log import Said
from nova_tx.log.levels import LEVELS, OF_TWISTED, Levels
from nova_tx.log.libraries import hear
from nova_tx.log.lines import LEVEL_NAMES, Event, Lines, name
from nova_tx.log.outputs import Output

_log = Logger()


@implementer(ILogObserver)
class DaemonLog:
    """
    Writes what is said, in whichever thread.

    @ivar lost: how many lines found no room, since the last that did.
    """

    def __init__(
        self, levels: Levels, lines: Lines, outputs: Callable[[], Sequence[Output]]
    ) -> None:
        """
        @param outputs: opens where it goes.
        """
        self._levels = levels
        self._lines = lines
        self._make = outputs
        self._outputs: Sequence[Output] = ()
        # an object that is forgotten while a line is written may have a last word
        self._lock = RLock()
        self.lost: Counter[Output] = Counter()

    def open(self) -> None:
        """
        From now on what is said is written, by libraries, too.

        @raise StartupError: a file can't be opened.
        """
        self._outputs = self._make()
        hear(self._levels)
        Said.all = any(least <= LEVELS["DEBUG"] for least in self._levels.of.values())

    def reopen(self) -> None:
        """Begin the file anew: whoever rotates logs has renamed it."""
        with self._lock:
            for each in self._outputs:
                each.reopen()

    def close(self) -> None:
        """Nothing is written any more."""
        with self._lock:
            outputs, self._outputs = self._outputs, ()
            for each in outputs:
                each.close()

    def __call__(self, event: Event) -> None:
        """Something is said."""
        level: Any = event.get("log_level") or LogLevel.info
        if OF_TWISTED[level] < self._levels.least(name(event)):
            return
        text = self._lines.text(event)
        with self._lock:
            for each in self._outputs:
                try:
                    each.write(LEVEL_NAMES[level], text)
                except OSError as error:
                    self.lost[each] += 1
                    self._why = error.strerror
                else:
                    lost = self.lost.pop(each, 0)
                    if lost:
                        _log.warn("{n} lines of the log are lost: {why}", n=lost, why=self._why)
