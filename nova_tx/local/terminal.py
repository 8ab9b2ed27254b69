"""
What a person at the terminal sees: sentences, and a bar where there is a wait.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

Say = Callable[[str], None]


class LocalError(Exception):
    """Something could not be done; the text is a sentence for the person who asked."""


def say(text: str) -> None:
    """One line on stderr, at once: stdout is for results."""
    print(text, file=sys.stderr, flush=True)


class Bar:
    """
    A line that fills while something of known size passes; nothing where no person looks.

    @param total: what is full, in any unit.
    """

    def __init__(
        self,
        title: str,
        total: int,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        width: int = 40,
    ) -> None:
        self._title, self._total, self._width = title, max(total, 1), width
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._drawn = -1.0
        self._shown = self._out.isatty()

    def show(self, done: int) -> None:
        """Draw how much is done; at most ten times a second."""
        now = self._clock()
        if not self._shown or (done < self._total and now - self._drawn < 0.1):
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
