"""docs/ec2.md says what the actions are."""

from __future__ import annotations

from pathlib import Path

from nova_tx.api.ec2 import reference
from nova_tx.testing import ec2_model
from nova_tx.testing.ec2_examples import CLOUD

PAGE = Path(__file__).parents[2] / "docs" / "ec2.md"


def test_the_page_is_current() -> None:
    """docs/ec2.md is what C{python -m nova_tx.api.ec2.reference} writes."""
    assert PAGE.read_text(encoding="utf-8") == reference.page()


def test_generations() -> None:
    """An action is said to be Nova's alone if, and only if, AWS has it not."""
    for name in {*reference.OF_2011, *reference.NOVAS, *CLOUD.actions}:
        assert ec2_model.known(name) == (reference.since(name) != "Nova"), name
