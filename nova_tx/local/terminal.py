"""
What a person at the terminal sees: sentences, and a bar where there is a wait.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from typing import TextIO

from nova_tx.bar import Bar as Bar

Say = Callable[[str], None]


class LocalError(Exception):
    """Something could not be done; the text is a sentence for the person who asked."""


def say(text: str) -> None:
    """One line on stderr, at once: stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def end_cleanly() -> None:
    """From now on being asked to end is like Ctrl-C: what was started is ended first."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


class Dots:
    """
    A line for a step that takes a while: its title, dots for who looks, its seconds.

    Where no person looks it is one plain line, written at the end.
    """

    def __init__(
        self,
        title: str,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._title = title
        self._began = self._drawn = clock()
        self._shown = self._out.isatty()
        if self._shown:
            self._out.write(title)
            self._out.flush()

    def tick(self) -> None:
        """Time passes: a dot for each second."""
        if self._shown and self._clock() - self._drawn >= 1.0:
            self._drawn = self._clock()
            self._out.write(".")
            self._out.flush()

    def end(self, outcome: str = "") -> None:
        """The step is over; C{outcome} goes in front of its seconds."""
        seconds = f"{outcome + ', ' if outcome else ''}{self._clock() - self._began:.1f} s"
        self._out.write(f": {seconds}\n" if self._shown else f"{self._title}: {seconds}\n")
        self._out.flush()
