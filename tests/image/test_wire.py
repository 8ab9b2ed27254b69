"""What clients of the registry say in JSON."""

from __future__ import annotations

import json

import pytest

from nova_tx.image.wire import change_from_wire, change_to_wire, tags_from_wire, tags_to_wire
from nova_tx.model.images import ImageChange


def test_said() -> None:
    """A change, and tags, are understood as they are told."""
    wanted = ImageChange(display_name="ü", is_public=False, add=("joe", "eve"))
    assert change_from_wire(json.dumps(change_to_wire(wanted)).encode()) == wanted
    assert tags_from_wire(tags_to_wire((("a", "ü"),))) == {"a": "ü"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"displayName": 5}',
        b'{"addLaunchProjects": [5]}',
        b'{"description": "\\ud800"}',
        b'{"description": ' + b"[" * 100_000,
        b'{"description": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
    ],
)
def test_nonsense(body: bytes) -> None:
    """What is no change is refused, however it is none."""
    with pytest.raises(ValueError):
        change_from_wire(body)
    with pytest.raises((ValueError, LookupError, TypeError)):
        tags_from_wire(body)
