"""
Typed parameters: an action declares them as fields, a request fills them in.
                                                            [spec/15 C1, C2, C28]

A name is text, whatever it looks like; C{Foo.N} is a list in order of the
numbers N; C{Foo.N.Bar} is a list of structures; an empty value is no value.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from nova_tx.api.ec2.faults import UnknownParameter
from nova_tx.errors import InvalidInput, MissingParameter

P = TypeVar("P")

#: Entries that a list may have.
LONGEST_LIST = 1000

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}\Z")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

#: How the text of a parameter becomes a value: from its name and its text.
Reader = Callable[[str, str], Any]


@dataclasses.dataclass(frozen=True)
class Parameter:
    """
    What an action says of one of its parameters.

    @ivar names: what it is called on the wire, aliases last.
    @ivar blank: an empty value is a value.
    @ivar kind: what it is, to be told: text, integer, boolean, instance id …
    """

    names: tuple[str, ...]
    read: Reader
    required: bool
    many: bool
    blank: bool = False
    kind: str = "text"

    def take(self, given: dict[str, str], within: str) -> Any:
        """
        Take its value out of what was given: None or () if there is none.

        @param within: what its names begin with, such as C{Filter.1.}
        @raise MissingParameter: there is none, and it is required.
        @raise InvalidInput: the value is of another type.
        """
        found = [
            self.read(name, value)
            for wanted in self.names
            for name, value in self._matching(within + wanted, given)
            if value or self.blank
        ]
        if not found and self.required:
            raise _missing(within + self.names[0])
        if not self.many:
            return found[0] if found else None
        return _bounded(within + self.names[0], found)

    def _matching(self, wanted: str, given: dict[str, str]) -> list[tuple[str, str]]:
        """The parameter itself and, if it is a list, those numbered: taken out, in order."""
        names = [wanted] if wanted in given else []
        if self.many:
            numbered = re.compile(re.escape(wanted) + r"\.([0-9]{1,6})\Z")
            found = [(int(match[1]), name) for name in given if (match := numbered.match(name))]
            names += [name for _, name in sorted(found)]
        return [(name, given.pop(name)) for name in names]


@dataclasses.dataclass(frozen=True)
class Structures:
    """
    A list of structures among the parameters of an action.

    @ivar names: what the list is called on the wire, aliases last.
    @ivar of: a dataclass whose fields are what each structure has.
    """

    names: tuple[str, ...]
    of: type[Any]
    required: bool
    many: bool = True

    def take(self, given: dict[str, str], within: str) -> Any:
        """
        Take the structures out of what was given, in the order of their numbers.

        @raise MissingParameter, InvalidInput, UnknownParameter: as L{extract} of one of them.
        """
        found = []
        for name in self.names:
            numbered = re.compile(re.escape(within + name) + r"\.([0-9]{1,6})\.")
            starts = {int(match[1]): match[0] for each in given if (match := numbered.match(each))}
            _bounded(within + name, list(starts))
            for _, start in sorted(starts.items()):
                inside = {each: given.pop(each) for each in list(given) if each.startswith(start)}
                found.append(extract(self.of, (), inside, start))
        if not found and self.required:
            raise _missing(within + self.names[0])
        return tuple(found)


def _missing(name: str) -> MissingParameter:
    return MissingParameter(f"The request must contain the parameter {name}")


def _bounded(name: str, found: list[Any]) -> tuple[Any, ...]:
    if len(found) > LONGEST_LIST:
        raise InvalidInput(f"More than {LONGEST_LIST} values for parameter {name}")
    return tuple(found)


def _field(
    names: tuple[str, ...],
    read: Reader,
    required: bool,
    many: bool = False,
    blank: bool = False,
    kind: str = "text",
) -> Any:
    return _declared(Parameter(names, read, required, many, blank, kind), required, many)


def _declared(parameter: Parameter | Structures, required: bool, many: bool) -> Any:
    if required:
        return dataclasses.field(metadata={"parameter": parameter})
    return dataclasses.field(default=() if many else None, metadata={"parameter": parameter})


def text(*names: str, required: bool = False, longest: int = 255, blank: bool = False) -> Any:
    """
    A field that is a text.

    @param longest: characters it may have.
    @param blank: an empty text is one, too.
    """
    return _field(names, _text(longest), required, blank=blank)


def texts(*names: str, required: bool = False, blank: bool = False) -> Any:
    """A field that is a list of texts: C{Name.1}, C{Name.2} …, or C{Name} alone."""
    return _field(names, _text(255), required, many=True, blank=blank)


def structures(*names: str, of: type[Any], required: bool = False) -> Any:
    """
    A field that is a list of structures: C{Name.1.Field}, C{Name.2.Field} …

    @param of: a dataclass of such fields.
    """
    return _declared(Structures(names, of, required), required, many=True)


def integer(*names: str, required: bool = False) -> Any:
    """A field that is an integer."""
    return _field(names, _integer, required, kind="integer")


def boolean(*names: str, required: bool = False) -> Any:
    """A field that is true or false."""
    return _field(names, _boolean, required, kind="boolean")


def values(*names: str, of: Callable[[str], Any], required: bool = False) -> Any:
    """
    A field that is a list of what C{of} makes of the texts.

    @param of: raises a L{nova_tx.errors.NovaError} of its own.
    """
    return _field(names, lambda name, value: of(value), required, many=True, kind=_kind(of))


def value(
    *names: str, of: Callable[[str], Any], required: bool = False, blank: bool = False
) -> Any:
    """A field that is what C{of} makes of the text; see L{values} and L{text}."""
    return _field(names, lambda name, given: of(given), required, blank=blank, kind=_kind(of))


def _kind(of: Callable[[str], Any]) -> str:
    """From C{parse_instance_id}, C{instance id}."""
    name: str = getattr(of, "__name__", "")
    return name.strip("_").partition("_")[2].replace("_", " ") or "text"


def dry_run(given: dict[str, str]) -> bool:
    """Take C{DryRun} out of what was given: whether the request is only to be tried."""
    return bool(boolean("DryRun").metadata["parameter"].take(given, ""))


def _text(longest: int) -> Reader:
    def read(name: str, value: str) -> str:
        if len(value) > longest:
            raise InvalidInput(f"Parameter {name} has more than {longest} characters")
        if _CONTROL.search(value):
            raise InvalidInput(f"Parameter {name} has characters that can't be stored")
        return value

    return read


def _integer(name: str, value: str) -> int:
    if not _INTEGER.match(value):
        raise InvalidInput(f"Invalid value '{value}' for {name}: an integer is expected")
    return int(value)


def _boolean(name: str, value: str) -> bool:
    try:
        return _BOOLEANS[value.lower()]
    except KeyError:
        raise InvalidInput(f"Invalid value '{value}' for {name}: true or false") from None


def extract(
    wanted: type[P], ignored: Iterable[str], given: Mapping[str, str], within: str = ""
) -> P:
    """
    Fill the fields of C{wanted} from the parameters of a request.

    @param ignored: parameters that may be given and mean nothing, with all below them.
    @param within: what the names of all parameters begin with.
    @raise MissingParameter, InvalidInput: see L{Parameter.take}.
    @raise UnknownParameter: something else was given.
    """
    left = dict(given)
    filled = {
        field.name: field.metadata["parameter"].take(left, within)
        for field in dataclasses.fields(wanted)  # type: ignore[arg-type]
    }
    for name in sorted(left):
        if name.partition(".")[0] not in ignored:
            raise UnknownParameter(f"The parameter {name} is not recognized")
    return wanted(**filled)
