"""
Each of the 97 rows of the user's manual on flags has a test of its effect, or waits for its room.

A test is called C{test_j12_control_exchange}: the row's number, and the flag as it is rightly
called.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from nova_tx import unbuilt
from nova_tx.flag_fields import entries
from nova_tx.flagfile import HELP
from nova_tx.flags import Flags, NodeFlags, sections

HERE = Path(__file__).parent
BUILT = {entry.name: entry for section in sections() for entry in entries(section)}
UNREAD = {each.name: each for each in unbuilt.unread()}


def rows() -> dict[str, str]:
    """The flags by number, rightly called."""
    found = {}
    for line in (HERE / "rows.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            number, spelt = line.split(maxsplit=1)
            name = spelt.removeprefix("-?,").removeprefix("[no]")
            found[number] = unbuilt.SPELLINGS.get(name, name)
    return found


def tests() -> dict[str, str]:
    """The flags that have a test of their own beside this, by number."""
    found = {}
    for path in HERE.glob("test_manual_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named = re.fullmatch(r"test_j(\d+)_(\w+)", node.name)
                if named:
                    assert f"J{named[1]}" not in found, f"{node.name} is there twice"
                    found[f"J{named[1]}"] = named[2]
    return found


ROWS, TESTS = rows(), tests()
WAITING = [number for number, name in ROWS.items() if name in UNREAD]


def test_all_are_there() -> None:
    """The rows are J1 to J97, and there is no test for any other."""
    assert list(ROWS) == [f"J{number}" for number in range(1, 98)]
    assert TESTS.keys() <= ROWS.keys()


@pytest.mark.parametrize("number", ROWS)
def test_each_has_its_test(number: str) -> None:
    """A row has a test of its effect, under its flag's name, or its flag is one without effect."""
    name = ROWS[number]
    if name in UNREAD:
        assert number not in TESTS and name not in BUILT
    else:
        assert name in BUILT or name in HELP
        assert TESTS.get(number) == name


@pytest.mark.parametrize("number", WAITING)
def test_waiting(number: str, tmp_path: Path) -> None:
    """A flag of the manual without effect is accepted everywhere, and its reason is told."""
    name = ROWS[number]
    entry = UNREAD[name].entry()
    other = {bool: str(not entry.default).lower(), int: "7"}.get(entry.kind, "another")
    file = tmp_path / "nova.conf"
    file.write_text(f"--{name}={other}\n")
    file.chmod(0o600)
    for words in ([f"--{name}={other}"], [f"--flagfile={file}"]):
        [warning] = Flags.load(words, (NodeFlags,)).warnings
        assert f"--{name} {UNREAD[name].why}" in warning
    assert unbuilt.room(name) or name in unbuilt.SETTLED
    assert f"`{name}`" in (HERE.parents[1] / "docs" / "flags.md").read_text(encoding="utf-8")
