"""What a flag is: a field of a section, with its type, its default and what it is for."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Sequence
from typing import Any

#: The type of a flag that holds several values, written C{a,b,c}.
Names = tuple[str, ...]


def flag(
    default: Any,
    meaning: str,
    *,
    show: str | None = None,
    secret: bool = False,
    choices: Sequence[str] = (),
) -> Any:
    """
    A field of a section.

    @param default: its value, or a function that finds it on this machine.
    @param show: what the help prints for a default that was found by a function.
    @param secret: its value is in no message.
    @param choices: what its value may be, if that is not just any of its type.
    """
    metadata = {"meaning": meaning, "show": show, "secret": secret, "choices": tuple(choices)}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A flag of a section: its field with its default found."""

    name: str
    kind: type[Any]
    default: Any
    meaning: str
    show: str | None
    secret: bool
    choices: tuple[str, ...] = ()

    @property
    def most(self) -> int:
        """Of a flag that is an integer, which counts something: from 0 to this."""
        return 65535 if self.name.endswith("_port") else 2**63 - 1


def entries(section: type[Any]) -> list[Entry]:
    """The flags of a section, in order of definition."""
    hints = typing.get_type_hints(section)
    found = []
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        kind = tuple if typing.get_origin(hint) is tuple else hint
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        found.append(Entry(field.name, kind, default, **field.metadata))
    return found


@dataclasses.dataclass(frozen=True)
class Unread:
    """
    A flag that is accepted, but by its name only.

    @ivar default: its value, whose type is the flag's.
    @ivar why: goes on C{--name}: C{belongs to …}.
    """

    name: str
    default: Any
    why: str

    def entry(self) -> Entry:
        """As a flag like others."""
        secret = re.search("password|secret", self.name) is not None
        return Entry(self.name, type(self.default), self.default, "", None, secret)


@dataclasses.dataclass(frozen=True)
class SyntaxFlags:
    """Of every program."""

    help: bool = flag(False, "show this help")
    helpshort: bool = flag(False, "show the help on the program's own flags only")
    helpxml: bool = flag(False, "show the help as XML")
    flagfile: str = flag("", "read flags from this file, too; lines like --name=value, # and //")
    undefok: Names = flag((), "names that may be given even if they are no flags")
