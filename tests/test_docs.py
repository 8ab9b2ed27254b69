"""The pages lead to each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *(CHECKOUT / "docs").glob("*.md")]
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")


def anchors(page: Path) -> set[str]:
    """The headings of a page as links have them."""
    heads = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Each link leads to a file that there is, and to a heading in it."""
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        there = page.parent / path if path else page
        assert there.exists(), path
        assert not anchor or anchor in anchors(there), f"{path}#{anchor}"


def test_all_are_named() -> None:
    """README leads to every page of docs."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    named = {Path(path).name for path, _ in LINK.findall(readme)}
    assert {each.name for each in (CHECKOUT / "docs").glob("*.md")} <= named
