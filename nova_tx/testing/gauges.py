"""
Memory and file descriptors of daemons over their lives, and whether they grow.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks.
_TICK = 1.0
#: The part of a life in which a process gets warm: imports, pools, caches.
_WARM = 0.2
#: The part of the rest that each of the two windows has, which are compared.
_WINDOW = 0.25
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Sample:
    """
    A look at a process.

    @ivar at: seconds, of a clock that does not jump.
    @ivar memory: bytes that are resident.
    @ivar files: open file descriptors.
    """

    at: float
    memory: int
    files: int


@dataclass(frozen=True)
class Trend:
    """
    A life, its warming up left out.

    @ivar seconds: between the first look at it and the last.
    @ivar memory: medians of the first window and of the last, in bytes.
    @ivar slope: of the memory, in bytes per second, by least squares.
    @ivar files: medians of both windows.
    """

    seconds: float
    memory: tuple[float, float]
    slope: float
    files: tuple[float, float]

    @property
    def growth(self) -> float:
        """Of the memory, in bytes."""
        return self.memory[1] - self.memory[0]

    @property
    def more_files(self) -> float:
        """Of the file descriptors."""
        return self.files[1] - self.files[0]


def trend(life: Sequence[Sample]) -> Trend | None:
    """How a life went; None if it was too short to say."""
    warm = life[int(len(life) * _WARM) :]
    size = int(len(warm) * _WINDOW)
    if size < 3:
        return None
    first, last = warm[:size], warm[-size:]
    slope, _ = statistics.linear_regression(
        [each.at for each in warm], [each.memory for each in warm]
    )
    return Trend(
        life[-1].at - life[0].at,
        (_median(first, "memory"), _median(last, "memory")),
        slope,
        (_median(first, "files"), _median(last, "files")),
    )


def _median(window: Sequence[Sample], what: str) -> float:
    return float(statistics.median(getattr(each, what) for each in window))


def look(pid: int) -> Sample | None:
    """A look at a process; None if it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, IndexError):
        return None
    return Sample(time.monotonic(), pages * _PAGE, files) if pages else None


class Gauges:
    """
    Looks at processes, in a thread, from C{start} to C{stop}.

    @ivar lives: the looks at each, by name and process.
    """

    def __init__(self, names: Sequence[str], pid: Callable[[str], int | None]) -> None:
        """
        @param pid: the process of a name, if it runs.
        """
        self.lives: dict[tuple[str, int], list[Sample]] = {}
        self._names, self._pid = names, pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def last(self) -> Mapping[str, Sample]:
        """The last look at each name."""
        return {name: life[-1] for (name, _), life in tuple(self.lives.items()) if life}

    def longest(self) -> Mapping[str, Trend]:
        """Of each name the trend of its longest life."""
        found: dict[str, Trend] = {}
        for (name, _), life in self.lives.items():
            its = trend(life)
            if its is not None and (name not in found or its.seconds > found[name].seconds):
                found[name] = its
        return found

    def _work(self) -> None:
        while not self._over.wait(_TICK):
            for name in self._names:
                pid = self._pid(name)
                sample = None if pid is None else look(pid)
                if pid is not None and sample is not None:
                    self.lives.setdefault((name, pid), []).append(sample)
