"""A bar for who waits at a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO


class Bar:
    """
    A line that fills while something of known size passes; nothing where no person looks.

    @param total: what is full, in any unit.
    @param patience: seconds until it is shown; what is over sooner needs none.
    """

    def __init__(
        self,
        title: str,
        total: int,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        width: int = 40,
        patience: float = 0.0,
    ) -> None:
        self._title, self._total, self._width = title, max(total, 1), width
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._drawn = -1.0
        self._shown = self._out.isatty()
        self._from = clock() + patience if patience else float("-inf")

    def show(self, done: int) -> None:
        """Draw how much is done; at most ten times a second."""
        now = self._clock()
        if not self._shown or now < self._from:
            return
        if done < self._total and now - self._drawn < 0.1:
            return
        self._drawn = now
        share = min(done / self._total, 1.0)
        filled = int(share * self._width)
        line = f"\r{self._title} [{'#' * filled}{'.' * (self._width - filled)}] {share:4.0%}"
        self._out.write(line)
        self._out.flush()

    def end(self) -> None:
        """Wipe the line, so that what comes next starts on a clean one."""
        if self._shown and self._drawn >= 0:
            self._out.write("\r\x1b[K")
            self._out.flush()
