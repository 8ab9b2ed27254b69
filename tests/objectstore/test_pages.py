"""What a page shows, and where it ends."""

from __future__ import annotations

from nova_tx.objectstore.bounds import KEYS
from nova_tx.objectstore.pages import Page


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


def test_end() -> None:
    """The next page begins after what this one ends with, a key or what keys share."""
    page: Page[int] = Page("", "", "/", 2)
    page.add("a", 1)
    assert (page.end, page.final) == (None, 1)
    page.add("b/1", 2)
    page.add("b/2", 3)
    assert (page.end, page.final) == (None, None)
    page.add("c", 4)
    assert (page.end, page.final, page.found, page.prefixes) == ("b/", None, [("a", 1)], ["b/"])


def test_end_of_none() -> None:
    """A page that was to show nothing is the last one, as S3 has it."""
    page: Page[int] = Page("", "", "", 0)
    page.add("a", 1)
    assert (page.full, page.end, page.found) == (True, None, [])
