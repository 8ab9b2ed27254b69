"""Pages of keys, or of uploads: what they show, and where the next one begins. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nova_tx.objectstore.bounds import KEYS

T = TypeVar("T")


@dataclass
class Page(Generic[T]):
    """
    A page that is filled in the order of keys; it ends early if they are long, so that its memory
    has a bound.

    @ivar after: the key, or what keys have in common, that it begins after.
    @ivar delimiter: keys that have it after the prefix are shown as one; "" for none.
    @ivar found: what it shows, with their keys.
    @ivar prefixes: what keys that go on after a delimiter have in common.
    @ivar last: what it ends with.
    @ivar left: bytes of keys that it has room for; the last one may have more.
    @ivar full: there is more than it has room for.
    """

    prefix: str
    after: str
    delimiter: str
    limit: int
    found: list[tuple[str, T]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str = ""
    left: int = KEYS
    full: bool = False

    @property
    def room(self) -> int:
        """How many more it may show."""
        return self.limit - len(self.found) - len(self.prefixes)

    @property
    def end(self) -> str | None:
        """What the next page begins after; None: this is the last one, or was to show nothing."""
        return self.last if self.full and self.limit else None

    @property
    def final(self) -> T | None:
        """What it shows last; None: that is what keys have in common."""
        return self.found[-1][1] if self.found and self.found[-1][0] == self.last else None

    def common(self, key: str) -> str | None:
        """What a key has in common with those that are shown as one with it; None: it is alone."""
        at = key.find(self.delimiter, len(self.prefix)) if self.delimiter else -1
        return key[: at + len(self.delimiter)] if at >= 0 else None

    def add(self, key: str, value: T) -> None:
        """Show the next key, or what it has in common with others, or know that there is more."""
        common = self.common(key)
        if common is not None and common in (self.after, *self.prefixes[-1:]):
            return
        if self.full or not self.room or self.left <= 0:
            self.full = True
            return
        self.last = key if common is None else common
        self.left -= len(self.last.encode())
        if common is None:
            self.found.append((key, value))
        else:
            self.prefixes.append(common)
