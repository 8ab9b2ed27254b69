"""
Which commands there are, what they are called and how they are called.

A module of L{nova_tx.manage.commands} is a category, a public function of it
an action: its docstring is the help, its signature the usage.  A function that
is named as its module is the whole category: C{nova-manage status}.
Parameters behind a C{*} are options: C{--purge}.  What returns a L{Listing}
takes C{--json}.  A module may say of itself:

  - C{DATABASE}: what it needs, one of L{TABLES} (the default), L{ANY}, L{NONE};
  - C{REACTOR}: that its coroutines wait for something that is yet to happen;
  - C{ALIAS}: another name of it;
  - C{PATIENCE}: seconds that a transaction may take, if L{PATIENCE} are too few.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import nova_tx.manage.commands
from nova_tx.errors import InvalidInput
from nova_tx.manage.listing import Listing
from nova_tx.registry import modules

T = TypeVar("T")

#: What a category needs of the database: tables of this program's version, a database whatever
#: is in it, nothing.
TABLES, ANY, NONE = "tables", "any", "none"
#: Seconds that a transaction may take.
PATIENCE = 10.0
#: The largest number that a row can hold.
LARGEST = 2**31 - 1
#: Parameters that are files' names, which may be any bytes.
_FILES = ("file", "path", "directory", "image", "kernel", "ramdisk")
#: The word that asks a list for JSON.
JSON = "--json"

#: The order in which categories are listed.                           [spec/10 section 1]
_ORDER = (
    *("user", "account", "project", "role", "shell", "vpn", "fixed", "floating", "network", "vm"),
    *("service", "log", "db", "volume", "instance_type", "image", "flavor"),
)


@dataclass(frozen=True)
class Category:
    """
    A group of actions.

    @ivar database: L{TABLES}, L{ANY} or L{NONE}.
    @ivar reactor: they need one that runs.
    @ivar patience: seconds that a transaction may take.
    """

    name: str
    actions: Mapping[str, Callable[..., Any]]
    database: str = TABLES
    reactor: bool = False
    patience: float = PATIENCE

    @property
    def itself(self) -> Callable[..., Any] | None:
        """The one action that the category is, if it is one."""
        return self.actions.get(self.name)


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
            name,
            dict(sorted(actions.items())),
            getattr(module, "DATABASE", TABLES),
            getattr(module, "REACTOR", False),
            getattr(module, "PATIENCE", PATIENCE),
        )
        alias = getattr(module, "ALIAS", None)
        if alias:
            found[alias] = replace(found[name], name=alias)
    places = {name: place for place, name in enumerate(_ORDER)}
    order = sorted(found, key=lambda name: (places.get(name, len(places)), name))
    return {name: found[name] for name in order}


def choose(typed: str, among: Mapping[str, T]) -> T:
    """
    The one thing whose name begins as was typed, in any case; C{-} is as good as C{_}.

    @raise NoChoice: there is none, or there are several.
    """
    start = typed.lower().replace("-", "_")
    matching = [name for name in among if name.lower().startswith(start)]
    if len(matching) != 1:
        raise NoChoice(typed, tuple(among), matching)
    return among[matching[0]]


def usage(category: Category, action: Callable[..., Any]) -> str:
    """How an action is called and what it does, in two lines."""
    meaning = " ".join((inspect.getdoc(action) or "").split())
    called = " ".join(dict.fromkeys((category.name, action.__name__.rstrip("_"))))
    return f"{called}: {meaning}\n  {synopsis(category, action)}"


def synopsis(category: Category, action: Callable[..., Any]) -> str:
    """How an action is called, in a line."""
    words = [_word(each) for each in _parameters(action)]
    words += [f"[{option}]" for option in options(action)]
    return " ".join((*dict.fromkeys((category.name, action.__name__.rstrip("_"))), *words))


def _word(parameter: inspect.Parameter) -> str:
    name = parameter.name.upper()
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"[{name} …]"
    return f"[{name}]" if parameter.default is not parameter.empty else name


def options(action: Callable[..., Any]) -> tuple[str, ...]:
    """What may stand among an action's arguments, dashes and all."""
    named = inspect.signature(action).parameters.values()
    found = tuple(f"--{each.name}" for each in named if each.kind is each.KEYWORD_ONLY)
    return (*found, JSON) if lists(action) else found


def names(action: Callable[..., Any]) -> list[str]:
    """What an action's arguments are called, in order."""
    return [each.name.upper() for each in _parameters(action)]


def lists(action: Callable[..., Any]) -> bool:
    """Whether an action returns a L{Listing}."""
    returned = typing.get_type_hints(action).get("return")
    return typing.get_origin(returned) is Listing


def arguments(
    action: Callable[..., Any], words: Sequence[str]
) -> tuple[list[Any], dict[str, bool]]:
    """
    An action's arguments, and its options, from the words of the command line.

    @raise WrongCount: there are too few words, or too many.
    @raise InvalidInput: a word is no integer where one is wanted, or is no text and no file's name.
    """
    known = options(action)
    chosen = {word.removeprefix("--"): True for word in words if word in known and word != JSON}
    words = [word for word in words if word not in known]
    parameters = _parameters(action)
    more = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    parameters = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    least = len([each for each in parameters if each.default is each.empty])
    if len(words) < least or (len(words) > len(parameters) and not more):
        raise WrongCount
    hints = typing.get_type_hints(action)
    given: list[Any] = []
    for parameter, word in zip(parameters, words, strict=False):
        wanted = (hints[parameter.name], *typing.get_args(hints[parameter.name]))
        if int not in wanted:
            given.append(_text(parameter.name, word))
        elif word == "" and type(None) in wanted:
            given.append(None)
        else:
            given.append(_integer(parameter.name, word))
    return [*given, *words[len(given) :]], chosen


def _parameters(action: Callable[..., Any]) -> list[inspect.Parameter]:
    """All but the first, which is C{parts}, and the options."""
    _parts, *others = inspect.signature(action).parameters.values()
    return [each for each in others if each.kind is not each.KEYWORD_ONLY]


def _integer(name: str, word: str) -> int:
    try:
        number = int(word)
    except ValueError:
        raise InvalidInput(f"{name.upper()} must be an integer, not {word!r}") from None
    if abs(number) > LARGEST:
        span = f"from {-LARGEST} to {LARGEST}"
        raise InvalidInput(f"{name.upper()} must be an integer {span}, not {word!r}")
    return number


def _text(name: str, word: str) -> str:
    # Python makes surrogates of what is not UTF-8
    if name not in _FILES and re.search("[\ud800-\udfff]", word):
        raise InvalidInput(f"{name.upper()} must be UTF-8, not {word!r}")
    return word
