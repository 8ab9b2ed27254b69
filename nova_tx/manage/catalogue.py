"""
Which commands there are, what they are called and how they are called.

A module of L{nova_tx.manage.commands} is a category, a public function of it
an action: its docstring is the help, its signature the usage.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nova_tx.manage.commands
from nova_tx.errors import InvalidInput
from nova_tx.registry import modules

T = TypeVar("T")

#: The order in which categories are listed.                           [spec/10 section 1]
_ORDER = (
    *("user", "project", "role", "shell", "vpn", "fixed", "floating", "network", "vm", "service"),
    *("log", "db", "volume", "instance_type", "image", "flavor"),
)


@dataclass(frozen=True)
class Category:
    """
    A group of actions.

    @ivar any_version: they work on a database of any version, also on an empty one.
    """

    name: str
    actions: Mapping[str, Callable[..., Any]]
    any_version: bool


class WrongCount(Exception):
    """The words do not fit the action's parameters."""


@dataclass(frozen=True)
class NoChoice(Exception):
    """What was typed begins none of the names, or several: then C{matching}."""

    typed: str
    names: Sequence[str]
    matching: Sequence[str] = field(default=())


def categories() -> dict[str, Category]:
    """Every category by name, in the order of the listings."""
    found = {}
    for module in modules(nova_tx.manage.commands):
        name = module.__name__.rpartition(".")[2]
        actions = {
            each.__name__.rstrip("_"): each
            for each in vars(module).values()
            if inspect.isfunction(each)
            and each.__module__ == module.__name__
            and not each.__name__.startswith("_")
        }
        found[name] = Category(
            name, dict(sorted(actions.items())), getattr(module, "ANY_VERSION", False)
        )
    places = {name: place for place, name in enumerate(_ORDER)}
    order = sorted(found, key=lambda name: (places.get(name, len(places)), name))
    return {name: found[name] for name in order}


def choose(typed: str, among: Mapping[str, T]) -> T:
    """
    The one thing whose name begins as was typed, in any case.

    @raise NoChoice: there is none, or there are several.
    """
    matching = [name for name in among if name.lower().startswith(typed.lower())]
    if len(matching) != 1:
        raise NoChoice(typed, tuple(among), matching)
    return among[matching[0]]


def usage(category: Category, action: Callable[..., Any]) -> str:
    """How an action is called and what it does, in two lines."""
    name = action.__name__.rstrip("_")
    words = [
        f"[{each.name.upper()}]" if each.default is not each.empty else each.name.upper()
        for each in _parameters(action)
    ]
    meaning = " ".join((inspect.getdoc(action) or "").split())
    return f"{category.name} {name}: {meaning}\n  {' '.join((category.name, name, *words))}"


def arguments(action: Callable[..., Any], words: Sequence[str]) -> dict[str, Any]:
    """
    An action's arguments from the words of the command line.

    @raise WrongCount: there are too few words, or too many.
    @raise InvalidInput: a word is no integer where one is wanted.
    """
    parameters = _parameters(action)
    least = len([each for each in parameters if each.default is each.empty])
    if not least <= len(words) <= len(parameters):
        raise WrongCount
    hints = typing.get_type_hints(action)
    given: dict[str, Any] = {}
    for parameter, word in zip(parameters, words, strict=False):
        if int in (hints[parameter.name], *typing.get_args(hints[parameter.name])):
            given[parameter.name] = _integer(parameter.name, word)
        else:
            given[parameter.name] = word
    return given


def _parameters(action: Callable[..., Any]) -> list[inspect.Parameter]:
    """All but the first, which is C{parts}."""
    return list(inspect.signature(action).parameters.values())[1:]


def _integer(name: str, word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise InvalidInput(f"{name.upper()} must be an integer, not {word!r}") from None
