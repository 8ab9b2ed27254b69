"""docs/nova-manage.md says which commands there are."""

from __future__ import annotations

from pathlib import Path

from nova_tx.manage import catalogue, reference

PAGE = Path(__file__).parents[2] / "docs" / "nova-manage.md"


def test_the_page_is_current() -> None:
    """docs/nova-manage.md is what C{python -m nova_tx.manage.reference} writes."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_every_list_is_for_programs() -> None:
    """Each list takes --json."""
    for category in catalogue.categories().values():
        if "list" in category.actions:
            assert catalogue.JSON in catalogue.options(category.actions["list"]), category.name
