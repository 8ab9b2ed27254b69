"""Whose files are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nova_tx.ownership import give


@pytest.mark.parametrize("root", [True, False])
def test_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: bool) -> None:
    """What root makes is its neighbour's; what another makes stays whose it is."""
    given: list[tuple[object, ...]] = []
    owners = {str(tmp_path): os.stat_result(range(10))}
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 0 if root else 1000)
        patch.setattr(os, "stat", owners.__getitem__)
        patch.setattr(os, "chown", lambda *words: given.append(words))
        give("a file", str(tmp_path))
    assert given == ([("a file", 4, 5)] if root else [])
