"""
The syntax of flags: how a command line and flag files become typed values.  [spec/11 section 1]

C{--name=value}, C{--name value}, C{-name=value}; booleans C{--name} and
C{--noname}; any unambiguous beginning of a name; C{--flagfile=PATH}, whose
lines are weaker than the command line; C{$name} in a text is another flag's value.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import textwrap
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from nova_tx.errors import StartupError

S = TypeVar("S")

#: The type of a flag that holds several values, written C{a,b,c}.
Names = tuple[str, ...]

_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_KINDS = {bool: "true or false", int: "an integer", float: "a number"}
_LISTED_KINDS = {int: "an integer", float: "a number", tuple: "a comma separated list"}


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


def default_flagfile(script: str) -> str | None:
    """The flag file if none is named: nova.conf beside the script, else in /etc/nova.  [D11]"""
    beside = os.path.join(os.path.dirname(os.path.abspath(script)), "nova.conf")
    return next((path for path in (beside, "/etc/nova/nova.conf") if os.path.exists(path)), None)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A flag of a section: its field with its default found."""

    name: str
    kind: type[Any]
    default: Any
    meaning: str
    show: str | None
    secret: bool
    choices: tuple[str, ...]


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


class Reader:
    """
    The values of a set of sections, and what was left of the command line.

    @ivar positional: the words from the first one on that is no flag.
    @ivar warnings: one sentence for each thing in a flag file that was ignored.
    """

    def __init__(self, wanted: Sequence[type[Any]], known: Iterable[type[Any]] = ()) -> None:
        """
        @param wanted: the sections whose flags are read.
        @param known: sections of all programs that share the flag file; a
            C{$name} may be any of theirs.
        """
        self._sections = {section: entries(section) for section in wanted}
        self._ours = {each.name for found in self._sections.values() for each in found}
        self._table = {
            each.name: each for section in (*known, *wanted) for each in entries(section)
        }
        self._given: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self.positional: list[str] = []
        self.warnings: list[str] = []

    def read(self, argv: Sequence[str], **defaults: object) -> None:
        """
        Read a command line; call it once.

        @param defaults: values of flags that nothing is said of.
        @raise StartupError: it can't be understood.
        """
        self._given.update(defaults)
        self._read(list(argv), None, ())
        self._values = {name: self._resolve(name, ()) for name in self._ours}

    def section(self, wanted: type[S]) -> S:
        """The values of one section."""
        return wanted(**{each.name: self._values[each.name] for each in self._sections[wanted]})

    # Words.

    def _read(self, words: list[str], source: str | None, seen: tuple[str, ...]) -> None:
        said: dict[str, Any] = {}
        while words:
            word = words.pop(0)
            if word == "--" and source is None:
                self.positional = words
                break
            if not word.startswith("-") or not word.strip("-"):
                if source is not None:
                    raise StartupError(f"{source}: {word!r} is not a flag")
                self.positional = [word, *words]
                break
            name, equals, value = word.lstrip("-").partition("=")
            if name == "flagfile":
                path = value if equals else _next(words, name, source)
                self._file(os.path.expanduser(path), seen)
                continue
            entry, negated = self._find(name, source)
            if entry is None:  # unknown: the rest of its line is its value
                words.clear()
            elif negated and equals:
                raise StartupError(f"{_where(source)}--{name} takes no value")
            elif entry.kind is bool and not equals:
                said[entry.name] = not negated
            else:
                text = value if equals else _next(words, name, source)
                said[entry.name] = _parse(entry, text, source)
        # what a flag file says is weaker than what is said beside it
        self._given.update(said)

    def _file(self, path: str, seen: tuple[str, ...]) -> None:
        real = os.path.realpath(path)
        if real in seen:
            self.warnings.append(f"{path} includes itself; the second time was skipped")
            return
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise StartupError(f"can't read flag file {path}: {reason}") from None
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith(("#", "//")):
                first = text.split(None, 1)
                words = [text] if "=" in first[0] else first
                self._read(words, f"{path}:{number}", (*seen, real))

    def _find(self, name: str, source: str | None) -> tuple[Entry | None, bool]:
        """The flag of a name, None if it is to be passed over; and whether it said C{no}."""
        for known, negated in ((name, False), (name.removeprefix("no"), True)):
            entry = self._table.get(known)
            if entry is None or (negated and entry.kind is not bool):
                continue
            if source is not None or known in self._ours:
                return entry, negated
        starting = [known for known in self._ours if known.startswith(name)]
        if len(starting) == 1:
            return self._table[starting[0]], False
        if source is None and starting:
            raise StartupError(f"--{name} may be any of {', '.join(sorted(starting))}")
        near = difflib.get_close_matches(name, self._table if source else self._ours, 1)
        hint = f"; did you mean --{near[0]}?" if near else ""
        if source is None:
            raise StartupError(f"unknown flag --{name}{hint}")
        self.warnings.append(f"{source}: unknown flag --{name} is ignored{hint}")
        return None, False

    # Interpolation.

    def _resolve(self, name: str, path: tuple[str, ...]) -> Any:
        entry = self._table[name]
        value = self._given.get(name, entry.default)
        if not isinstance(value, str) or "$" not in value:
            return value
        if name in path:
            raise StartupError(f"--{name} refers to itself")

        def replace(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            other = found[1] or found[2]
            if other not in self._table:
                what = "a $" if entry.secret else f"${other}"
                raise StartupError(f"--{name}: {what} in it names no flag; write $$ for a $")
            return str(self._resolve(other, (*path, name)))

        return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", replace, value)

    # Help.

    def usage(self, program: str) -> str:
        """What C{--help} prints: every flag that the program reads."""
        lines = [f"USAGE: {program} [flags]", "flags:", ""]
        for section, found in self._sections.items():
            lines.append((section.__doc__ or "").strip().splitlines()[0])
            for entry in sorted(found, key=lambda each: each.name):
                lines.extend(_help(entry))
            lines.append("")
        return "\n".join(lines)


def _where(source: str | None) -> str:
    return f"{source}: " if source else ""


def _next(words: list[str], name: str, source: str | None) -> str:
    if not words:
        raise StartupError(f"{_where(source)}flag --{name} needs a value")
    return words.pop(0)


def _parse(entry: Entry, text: str, source: str | None) -> Any:
    if entry.kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if entry.choices and text not in entry.choices:
        wanted = " or ".join(entry.choices)
        raise StartupError(f"{_where(source)}--{entry.name} must be {wanted}, not {text!r}")
    try:
        return _BOOLEANS[text.lower()] if entry.kind is bool else entry.kind(text)
    except (ValueError, KeyError):
        raise StartupError(
            f"{_where(source)}--{entry.name} must be {_KINDS[entry.kind]}, not {text!r}"
        ) from None


def _help(entry: Entry) -> list[str]:
    dashes = "--[no]" if entry.kind is bool else "--"
    text = f"{dashes}{entry.name}: {entry.meaning}"
    lines = textwrap.wrap(text, 78, initial_indent="  ", subsequent_indent="    ")
    default = str(entry.default)
    if entry.kind is bool:
        default = default.lower()
    elif entry.kind is tuple:
        default = ",".join(entry.default)
    lines.append(f"    (default: {entry.show or repr(default)})")
    if entry.kind in _LISTED_KINDS:
        lines.append(f"    ({_LISTED_KINDS[entry.kind]})")
    if entry.choices:
        lines.append(f"    ({' or '.join(entry.choices)})")
    return lines
