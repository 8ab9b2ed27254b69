"""Lists that commands print: as the manual has them, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: Lines that are written at once.
_BATCH = 2000


@dataclass(frozen=True)
class Listing(Generic[T]):
    """
    What a command that lists returns; it prints nothing itself.

    @ivar found: what is listed, one a line.
    @ivar line: how a person reads it.
    @ivar facts: how a program reads it: names, and what JSON can say, or times.
    @ivar header: what a person reads above.
    @ivar failure: why the command fails, though it lists.
    """

    found: Iterable[T]
    line: Callable[[T], str]
    facts: Callable[[T], Mapping[str, object]] = vars
    header: str | None = None
    failure: str | None = None

    def text(self) -> Iterator[str]:
        """The list as a person reads it, in pieces."""
        return _pieces(self._lines())

    def json(self) -> Iterator[str]:
        """The list as a JSON array with an object a line, in pieces."""
        return _pieces(self._array())

    def _lines(self) -> Iterator[str]:
        if self.header is not None:
            yield self.header + "\n"
        for each in self.found:
            yield self.line(each) + "\n"

    def _array(self) -> Iterator[str]:
        before = "[\n"
        for each in self.found:
            yield before + json.dumps(dict(self.facts(each)), default=_said)
            before = ",\n"
        yield "[]\n" if before == "[\n" else "\n]\n"


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _BATCH:
            yield "".join(batch)
            batch.clear()
    yield "".join(batch)


def _said(value: Any) -> object:
    """What JSON can't say: times are UTC, sets are sorted."""
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, (frozenset, set)):
        return sorted(value)
    raise TypeError(f"{value!r} is nothing for JSON")
