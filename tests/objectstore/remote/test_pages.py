"""What a page shows, and where it ends."""

from __future__ import annotations

from nova_tx.objectstore.bounds import KEYS
from nova_tx.objectstore.remote.pages import Page


def test_long_keys() -> None:
    """A page of long keys ends before it is full, as on a disk, so that its memory has a bound."""
    page: Page[int] = Page("", "", "", 1000)
    key = "ü" * 512
    for number in range(1000):
        page.add(f"{number:04}{key}", number)
    assert page.full and page.last == page.found[-1][0]
    size = sum(len(each.encode()) for each, _ in page.found)
    assert KEYS <= size < KEYS + 1028
    assert [number for _, number in page.found] == list(range(len(page.found)))


def test_long_prefixes() -> None:
    """What keys have in common counts once, however many there are."""
    page: Page[int] = Page("", "", "/", 1000)
    for number in range(5000):
        page.add(f"{'k' * 512}/{number}", number)
    assert not page.full and page.prefixes == [f"{'k' * 512}/"]
