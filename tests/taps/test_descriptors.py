"""File descriptors for connections: as many as the host lets, and a word if they are too few."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from nova_tx.taps.descriptors import make_room

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("limits", "wanted", "raised", "told"),
    [
        ((1024, 8192), 3000, (4096, 8192), False),
        ((1024, 8192), 6000, (6000, 8192), False),
        ((1024, INFINITY), 6000, (6000, INFINITY), False),
        ((1024, 2048), 3000, (2048, 2048), True),
        ((1024, 2048), 1500, (2048, 2048), False),
        ((20000, 20000), 6000, None, False),
        ((INFINITY, INFINITY), 6000, None, False),
    ],
)
def test_room(
    monkeypatch: pytest.MonkeyPatch, limits: Any, wanted: int, raised: Any, told: bool
) -> None:
    """The limit becomes what connections need; an operator hears of it if the host forbids it."""
    found: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: found.append(given))
    warnings = make_room(wanted)
    assert found == ([] if raised is None else [raised])
    assert bool(warnings) == told
    assert all("2048" in each and "3000" in each for each in warnings)
