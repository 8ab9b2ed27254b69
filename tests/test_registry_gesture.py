"""The one way of finding drivers, policies, actions and commands."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from nova_tx import registry
from nova_tx.errors import StartupError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package with two modules, one of which imports from the other, and a package in it."""
    root = tmp_path / "menagerie"
    (root / "inner").mkdir(parents=True)
    (root / "__init__.py").write_text("class Keeper: pass\n")
    (root / "inner" / "__init__.py").write_text("class Worm: pass\n")
    (root / "birds.py").write_text("class Owl: pass\nclass _Egg: pass\nCOUNT = 1\n")
    (root / "cats.py").write_text("from menagerie.birds import Owl\nclass Lynx: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("menagerie")
    for name in [each for each in sys.modules if each.split(".")[0] == "menagerie"]:
        del sys.modules[name]


def test_modules(package: ModuleType) -> None:
    """Every module directly in a package is imported, in order; packages in it are not."""
    found = [each.__name__ for each in registry.modules(package)]
    assert found == ["menagerie.birds", "menagerie.cats"]


def test_definitions(package: ModuleType) -> None:
    """What a module defines is found once, what it imports is not, nor what is private."""
    found = registry.definitions(package, registry.is_class)
    assert [each.__name__ for each in found] == ["Owl", "Lynx"]  # type: ignore[attr-defined]


def test_by_name() -> None:
    """Each is found under every one of its names."""
    table = registry.by_name([1, 20], lambda each: (str(each), hex(each)))
    assert table == {"1": 1, "0x1": 1, "20": 20, "0x14": 20}


def test_same_name() -> None:
    """Two that claim one name are refused; one that claims it twice is not."""
    with pytest.raises(StartupError, match="both 2 and 1 are called it"):
        registry.by_name([1, 2], lambda _: ["it"])
    assert registry.by_name([1], lambda _: ["it", "it"]) == {"it": 1}


def test_choose() -> None:
    """A name that nobody has is refused with the names there are."""
    table = {"simple": 1, "chance": 2}
    assert registry.choose(table, "simple", "policy") == 1
    with pytest.raises(StartupError) as caught:
        registry.choose(table, "simpel", "policy")
    assert str(caught.value) == "unknown policy 'simpel'; there are: chance, simple"
