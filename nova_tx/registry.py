"""
The one way in which the house finds its drivers, policies, actions and commands.

A package's modules are imported and what they define is taken; nothing is
listed by hand.  C{tests/test_registry.py} pins the names found per package.
Other distributions name theirs as entry points of a group that is called as the package.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoints, entry_points
from types import ModuleType
from typing import TypeVar

from nova_tx.errors import StartupError

T = TypeVar("T")


def modules(package: ModuleType) -> list[ModuleType]:
    """Every module directly in a package, imported, by name."""
    return [
        importlib.import_module(f"{package.__name__}.{found.name}")
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name)
        if not found.ispkg
    ]


def definitions(package: ModuleType, wanted: Callable[[object], bool]) -> list[object]:
    """What the modules of a package define themselves (not what they import)."""
    found = []
    for module in modules(package):
        for _, value in sorted(vars(module).items(), key=lambda item: item[0]):
            if getattr(value, "__module__", None) == module.__name__ and wanted(value):
                found.append(value)
    return found


def registered(group: str) -> dict[str, object]:
    """
    What other distributions offer under an entry point group, by the entry points' names.

    @raise StartupError: one can't be loaded, or two have the same name.
    """
    found: dict[str, object] = {}
    points = _entry_points(group, tuple(sys.path))
    for each in sorted(points, key=lambda point: (point.name, point.value)):
        if each.name in found:
            raise StartupError(f"two entry points of {group} are called {each.name}")
        try:
            found[each.name] = each.load()
        except Exception as error:
            raise StartupError(
                f"{each.name} ({each.value}), an entry point of {group}, can't be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error
    return found


@functools.lru_cache(32)
def _entry_points(group: str, path: tuple[str, ...]) -> EntryPoints:
    """Those of every distribution on a path, which is looked through once for each group."""
    return entry_points(group=group)


def by_name(found: Iterable[T], names: Callable[[T], Iterable[str]]) -> dict[str, T]:
    """
    A table of what was found, under each of its names.

    @raise StartupError: two claim the same name.
    """
    table: dict[str, T] = {}
    for value in found:
        for name in names(value):
            if name in table and table[name] is not value:
                raise StartupError(f"both {value!r} and {table[name]!r} are called {name}")
            table[name] = value
    return table


def choose(table: dict[str, T], name: str, what: str) -> T:
    """
    The entry that a flag names.

    @raise StartupError: there is none; the text lists the names there are.
    """
    try:
        return table[name]
    except KeyError:
        raise StartupError(
            f"unknown {what} {name!r}; there are: {', '.join(sorted(table))}"
        ) from None


def is_class(value: object) -> bool:
    """A class that is not private."""
    return inspect.isclass(value) and not value.__name__.startswith("_")
