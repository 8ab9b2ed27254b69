"""What a daemon counts as a step, without a daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nova_tx.testing.crash import AFTER, BEFORE, Plan, numbered, write_plan

_SCRIPT = """
import shutil, sys
from pathlib import Path
from nova_tx.testing.crash import Steps
control, place = map(Path, sys.argv[1:])
steps = Steps(control)
steps.places = (str(place),)
sys.addaudithook(steps.audit)
steps.look()
(place / "instance-0000000a").mkdir()
(place / "instance-0000000a" / "disk").write_bytes(b"x")
(place / "instance-0000000a" / "disk").read_bytes()
(place / "instance-0000000a" / "disk").rename(place / "disk")
shutil.rmtree(place / "instance-0000000a")
(control / "elsewhere").write_bytes(b"x")
steps.watched(lambda: print("done"), lambda: "print")()
print("alive")
"""
STEPS = [
    "file os.mkdir instances/*",
    "file open instances/*/disk",
    "file os.rename instances/disk",
    "file os.rmdir instances/*",
    "print",
]


@pytest.fixture
def control(tmp_path: Path) -> Path:
    (tmp_path / "control").mkdir()
    (tmp_path / "instances").mkdir()
    return tmp_path / "control"


def _run(control: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", _SCRIPT, str(control), str(control.parent / "instances")]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_changes_of_files_and_calls_are_counted(control: Path) -> None:
    """Each change below a place is a step, whatever its name is this time; a look is none."""
    write_plan(control, Plan(7))
    assert _run(control).stdout == "done\nalive\n"
    assert (control / "steps").read_text().splitlines() == STEPS
    assert (control / "armed").read_text() == "7"


@pytest.mark.parametrize(
    ("step", "moment", "left"),
    [
        (STEPS[0], BEFORE, []),
        (STEPS[1], BEFORE, ["instance-0000000a"]),
        (STEPS[3], BEFORE, ["disk", "instance-0000000a"]),
        ("print", BEFORE, ["disk"]),
        ("print", AFTER, ["disk"]),
    ],
)
def test_it_dies_where_it_is_told(control: Path, step: str, moment: str, left: list[str]) -> None:
    """The process is killed at its step: what is before is done, what is after is not."""
    write_plan(control, Plan(1, step, 1, moment))
    ran = _run(control)
    assert ran.returncode == -9
    assert sorted(os.listdir(control.parent / "instances")) == left


def test_nothing_is_counted_without_a_plan(control: Path) -> None:
    """A daemon without a plan runs as any other."""
    assert _run(control).returncode == 0
    assert not (control / "steps").exists()


def test_steps_of_one_name_are_told_apart() -> None:
    """The second step of a name is the second."""
    assert numbered(["a", "b", "a"]) == [("a", 1), ("b", 1), ("a", 2)]
