"""
The syntax of flags: how a command line and flag files become typed values.  [spec/11 section 1]

C{--name=value}, C{--name value}, C{-name=value}; booleans C{--name} and
C{--noname}; any unambiguous beginning of a name; C{--flagfile=PATH}, whose
lines are weaker than the command line; C{$name} in a text is another flag's value.
What C{--help} prints is L{nova_tx.flag_help}'s.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from nova_tx.errors import StartupError
from nova_tx.flag_fields import Entry, SyntaxFlags, Unread, entries

S = TypeVar("S")

_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_KINDS = {bool: "true or false", int: "an integer", float: "a number"}


def default_flagfile(script: str) -> str | None:
    """The flag file if none is named: nova.conf beside the script, else in /etc/nova.  [D11]"""
    beside = os.path.join(os.path.dirname(os.path.abspath(script)), "nova.conf")
    return next((path for path in (beside, "/etc/nova/nova.conf") if os.path.exists(path)), None)


#: What asks for help, and as which flag it counts.
_ASKS = {"?": "help", "h": "help"}
#: The flags of L{SyntaxFlags} that ask for help.
HELP = ("help", "helpshort", "helpxml")


class HelpAsked(Exception):
    """
    The command line asks for help; nothing was read.

    @ivar kind: one of L{HELP}.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


#: A word without its dashes: the flag it means, and whether it begins with C{no}.
Words = dict[str, tuple[Entry, bool]]


def _spelt(found: Iterable[Entry]) -> Words:
    words = {each.name: (each, False) for each in found}
    for entry, _ in tuple(words.values()):
        if entry.kind is bool:
            words.setdefault(f"no{entry.name}", (entry, True))
    return words


class Reader:
    """
    The values of a set of sections, and what was left of the command line.

    @ivar positional: the words from the first one on that is no flag.
    @ivar warnings: one sentence for each thing that was ignored, or should not be as it is.
    @ivar fell_back: the flag file that is read where none is named was read.
    """

    def __init__(
        self,
        wanted: Sequence[type[Any]],
        known: Iterable[type[Any]] = (),
        unread: Iterable[Unread] = (),
        spellings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """
        @param wanted: the sections whose flags are read.
        @param known: sections of all programs that share the flag file; a
            C{$name} may be any of theirs.
        @param unread: flags that nobody reads; who sets one is warned.
        @param spellings: wrong names that are taken for right ones, with a warning.
        """
        self._sections = {section: entries(section) for section in wanted}
        ours = [each for found in self._sections.values() for each in found]
        self._ours = {each.name for each in ours}
        self._unread = {each.name: each for each in unread}
        everything = [each.entry() for each in self._unread.values()]
        everything += [each for section in (*known, *wanted) for each in entries(section)]
        self._table = {each.name: each for each in everything}
        syntax = entries(SyntaxFlags)
        self._own = _spelt((*ours, *syntax))
        self._accepted = _spelt((*ours, *syntax, *(each.entry() for each in self._unread.values())))
        self._anywhere = _spelt((*self._table.values(), *syntax))
        self._spellings = spellings
        self._undefined: set[str] = set()
        self._given: dict[str, Any] = {}
        self._where: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self.positional: list[str] = []
        self.warnings: list[str] = []
        self.fell_back = False

    def read(self, argv: Sequence[str], fallback: str | None = None, **defaults: object) -> None:
        """
        Read a command line; call it once.

        @param fallback: the flag file, if the command line names none.
        @param defaults: values of flags that nothing is said of.
        @raise StartupError: it can't be understood.
        @raise HelpAsked: it asks for help.
        """
        self._given.update(defaults)
        self._undefined.update(_undefok(argv))
        said, files = self._read(list(argv), None)
        for kind in HELP:
            if said.pop(kind, False):
                raise HelpAsked(kind)
        self.fell_back = fallback is not None and not files
        for path in files or ([fallback] if fallback else []):
            self._file(os.path.expanduser(path), ())
        # what a flag file says is weaker than what is said beside it
        self._say(said, "")
        self._values = {name: self._resolve(name, ()) for name in self._ours}
        for name in self._given.keys() & self._unread.keys():
            each = self._unread[name]
            if self._given[name] != each.default:
                self.warnings.append(f"{self._where[name]}--{name} {each.why}")

    def section(self, wanted: type[S]) -> S:
        """The values of one section."""
        return wanted(**{each.name: self._values[each.name] for each in self._sections[wanted]})

    # Words.

    def _say(self, said: Mapping[str, Any], where: str) -> None:
        self._given.update(said)
        self._where.update(dict.fromkeys(said, where))

    def _read(self, words: list[str], source: str | None) -> tuple[dict[str, Any], list[str]]:
        """What words say, and the flag files that they name."""
        said: dict[str, Any] = {}
        files: list[str] = []
        while words:
            word = words.pop(0)
            if word == "--" and source is None:
                self.positional = words
                break
            if not word.startswith("-") or not word.strip("-"):
                if source is not None:
                    # what is behind it may be a password
                    raise StartupError(f"{source}: {word.partition('=')[0]!r} is not a flag")
                self.positional = [word, *words]
                break
            name, equals, value = word.lstrip("-").partition("=")
            entry, negated = self._find(name, source)
            if entry is None:
                if source is not None:  # unknown: the rest of its line is its value
                    words.clear()
            elif negated and equals:
                raise StartupError(f"{_where(source)}--{name} takes no value")
            elif entry.kind is bool and not equals:
                said[entry.name] = not negated
            else:
                text = value if equals else _next(words, name, source)
                if entry.name == "flagfile":
                    files.append(text)
                elif entry.name == "undefok":
                    self._undefined.update(_parse(entry, text, source))
                else:
                    said[entry.name] = _parse(entry, text, source)
        return said, files

    def _file(self, path: str, seen: tuple[str, ...]) -> None:
        real = os.path.realpath(path)
        if real in seen:
            self.warnings.append(f"{path} includes itself; the second time was skipped")
            return
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
                everyone = bool(os.fstat(file.fileno()).st_mode & stat.S_IROTH)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise StartupError(f"can't read flag file {path}: {reason}") from None
        secrets: list[str] = []
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text and not text.startswith(("#", "//")):
                first = text.split(None, 1)
                words = [text] if "=" in first[0] else first
                said, files = self._read(words, f"{path}:{number}")
                self._say(said, f"{path}:{number}: ")
                secrets += [f"--{name}" for name in said if self._tells(name, said[name])]
                for other in files:
                    self._file(os.path.expanduser(other), (*seen, real))
        if everyone and secrets:
            self.warnings.append(
                f"{path} can be read by everyone, and {', '.join(dict.fromkeys(secrets))} in it is "
                "secret: chmod o-r it"
            )

    def _tells(self, name: str, value: Any) -> bool:
        """Whether a flag's value is a secret: not its default, nor a URL without a password."""
        entry = self._table.get(name)
        if entry is None or not entry.secret or value == entry.default:
            return False
        return "://" not in value or re.search(r"://[^/@]*:[^/]*@", value) is not None

    def _find(self, name: str, source: str | None) -> tuple[Entry | None, bool]:
        """The flag of a name, None if it is to be passed over; and whether it said C{no}."""
        name = _ASKS.get(name, name)
        right = self._spellings.get(name)
        if right is not None:
            self._warn(f"{_where(source)}--{name} is taken for --{right}, as the flag is called")
            name = right
        pool = self._anywhere if source is not None else self._accepted
        if name in pool:
            return pool[name]
        starting: list[str] = []
        for words in (self._own, pool):
            starting = [] if name in self._undefined else [w for w in words if w.startswith(name)]
            if starting:
                break
        if len(starting) == 1:
            return pool[starting[0]]
        if name in self._undefined or name.removeprefix("no") in self._undefined:
            return None, False
        if starting:
            text = f"{_where(source)}--{name} may be any of {', '.join(sorted(starting))}"
            if source is None:
                raise StartupError(text)
            self._warn(f"{text}; it is ignored", name)
            return None, False
        near = difflib.get_close_matches(name, pool, 1)
        hint = f"; did you mean --{near[0]}?" if near else ""
        if source is None:
            raise StartupError(f"unknown flag --{name}{hint}")
        self._warn(f"{source}: unknown flag --{name} is ignored{hint}", name)
        return None, False

    def _warn(self, text: str, name: str | None = None) -> None:
        """
        Warn once.

        @param name: of an unknown flag, which is not told of again.
        """
        if name is None or name not in self._undefined:
            self.warnings.append(text)
        if name is not None:
            self._undefined.add(name)

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


def _where(source: str | None) -> str:
    return f"{source}: " if source else ""


def _undefok(argv: Sequence[str]) -> Iterator[str]:
    """The names of all C{--undefok}, which may come after what they excuse."""
    for word, following in zip(argv, (*argv[1:], ""), strict=False):
        if word == "--":
            return
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name == "undefok":
            yield from (part.strip() for part in (value if equals else following).split(","))


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
    wanted = _KINDS.get(entry.kind, "")
    try:
        value = _BOOLEANS[text.lower()] if entry.kind is bool else entry.kind(text)
        if entry.kind is int and not 0 <= value <= entry.most:
            wanted = f"{wanted} from 0 to {entry.most}"
            raise ValueError
    except (ValueError, KeyError):
        raise StartupError(
            f"{_where(source)}--{entry.name} must be {wanted}, not {text!r}"
        ) from None
    return value
