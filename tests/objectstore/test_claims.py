"""Who works on an image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_tx.objectstore.claims import Claims


@pytest.mark.parametrize("shared", [True, False])
def test_one_at_a_time(tmp_path: Path, shared: bool) -> None:
    """What is claimed nobody else gets, in this process or another, until it is given back."""
    path = str(tmp_path / "claims") if shared else None
    ours, theirs = Claims(path), Claims(path)
    for _ in range(2):
        assert ours.take("ami-1")
        assert not ours.take("ami-1")
        assert ours.take("ami-2")
        assert theirs.take("ami-1") == (not shared)
        if not shared:
            theirs.give_back("ami-1")
        ours.give_back("ami-1")
        assert theirs.take("ami-1")
        theirs.give_back("ami-1")
        ours.give_back("ami-2")
    assert not shared or list((tmp_path / "claims").iterdir()) == []


_DIES = """
import os, sys
from nova_tx.objectstore.claims import Claims
print(Claims(sys.argv[1]).take("ami-1"), flush=True)
os.kill(os.getpid(), 9)
"""


def test_of_the_dead(tmp_path: Path) -> None:
    """What a process had claimed that was killed can be claimed again."""
    path = str(tmp_path / "claims")
    dead = subprocess.run([sys.executable, "-c", _DIES, path], stdout=subprocess.PIPE)
    assert (dead.returncode, dead.stdout) == (-9, b"True\n")
    assert Claims(path).take("ami-1")
