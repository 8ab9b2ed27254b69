"""Where the package is, and its programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from nova_tx import installed


def test_in_a_checkout() -> None:
    """These tests run in a checkout, whose scripts are its programs."""
    assert installed.in_checkout()
    assert os.access(installed.program("nova-dhcpbridge"), os.X_OK)
    assert Path(installed.base(), "nova_tx", "installed.py").exists()


def test_installed_by_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a checkout around it, programs are where pip puts them."""
    monkeypatch.setattr(installed, "base", lambda: str(tmp_path))
    assert not installed.in_checkout()
    assert installed.program("nova-api") == f"{sys.prefix}/bin/nova-api"
