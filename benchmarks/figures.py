"""
What a benchmark finds, and how it is printed.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """
    One thing that was measured.

    @ivar aim: what it is to be, such as C{≥ 2,000}; empty if nothing is asked.
    @ivar beside: the same of others in the same run, by name; in C{unit}, too.
    """

    what: str
    value: float
    unit: str
    aim: str = ""
    beside: Sequence[tuple[str, float]] = ()

    def line(self) -> str:
        """For a person: the value, the aim, and how often each baseline it is."""
        text = f"{self.what:<58} {number(self.value):>8} {self.unit:<12}"
        text += f" aim {self.aim:<10}" if self.aim else " " * 15
        for name, value in self.beside:
            text += f"  {self.value / value:.2f} times {name} ({number(value)})"
        return text.rstrip()


def number(value: float) -> str:
    """Three digits that matter, thousands parted."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def percentile(values: Iterable[float], part: float) -> float:
    """The value that C{part} of all do not exceed; 0.95 for the 95th percentile."""
    found = sorted(values)
    return found[min(len(found) - 1, int(len(found) * part))]
