"""What C{--help}, C{--helpshort} and C{--helpxml} print, as gflags did.  [spec/11 section 1]"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from nova_tx.flag_fields import Entry, SyntaxFlags, entries

#: What a type is called: beside a flag, and in XML.
_BESIDE = {int: "an integer", float: "a number", tuple: "a comma separated list"}
_NAMES = {
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    tuple: "comma separated list of strings",
}


def answer(
    kind: str, program: str, about: str, sections: Sequence[type[Any]], own: Sequence[type[Any]]
) -> str:
    """
    What to print.

    @param kind: C{help}, C{helpshort} or C{helpxml}.
    @param about: the program's docstring.
    @param sections: all that the program reads.
    @param own: those of them that it has for itself.
    """
    plain = _plain(about)
    if kind == "helpxml":
        return xml(program, plain, sections, own)
    shown = (*sections, SyntaxFlags) if kind == "help" else own
    return f"{plain}\n\n{text(program, shown)}"


def text(program: str, sections: Sequence[type[Any]]) -> str:
    """Every flag of some sections."""
    lines = [f"USAGE: {program} [flags]", "flags:", ""]
    for section in sections:
        lines.append(title(section))
        for entry in sorted(entries(section), key=lambda each: each.name):
            lines.extend(_lines(entry))
        lines.append("")
    return "\n".join(lines)


def xml(
    program: str, about: str, sections: Sequence[type[Any]], own: Sequence[type[Any]] = ()
) -> str:
    """The same for programs; the program's own flags are C{key}."""
    root = Element("AllFlags")
    _leaf(root, "program", program)
    _leaf(root, "usage", about)
    for section in (*sections, SyntaxFlags):
        for entry in sorted(entries(section), key=lambda each: each.name):
            element = SubElement(root, "flag")
            if section in own:
                _leaf(element, "key", "yes")
            _leaf(element, "file", section.__module__)
            _leaf(element, "name", entry.name)
            if entry.name == "help":
                _leaf(element, "short_name", "?")
            _leaf(element, "meaning", entry.meaning)
            # nothing was read: what holds is the default
            for name in ("default", "current"):
                _leaf(element, name, as_text(entry))
            _leaf(element, "type", _NAMES[entry.kind])
    indent(root)
    return '<?xml version="1.0"?>\n' + tostring(root, encoding="unicode")


def as_text(entry: Entry) -> str:
    """A default as it would be written in a flag file."""
    if entry.kind is bool:
        return str(entry.default).lower()
    return ",".join(entry.default) if entry.kind is tuple else str(entry.default)


def title(section: type[Any]) -> str:
    """What a section is about, in a line."""
    return _plain(section.__doc__ or "").splitlines()[0]


def _plain(documented: str) -> str:
    """A docstring without markup and sources."""
    return re.sub(r"[CLBI]\{([^}]*)\}", r"\1", documented).strip().partition("  [")[0]


def _lines(entry: Entry) -> list[str]:
    dashes = "--[no]" if entry.kind is bool else "--"
    if entry.name == "help":
        dashes = f"-?,{dashes}"
    lines = textwrap.wrap(
        f"{dashes}{entry.name}: {entry.meaning}",
        78,
        initial_indent="  ",
        subsequent_indent="    ",
    )
    lines.append(f"    (default: {entry.show or repr(as_text(entry))})")
    if entry.kind in _BESIDE:
        lines.append(f"    ({_BESIDE[entry.kind]})")
    if entry.choices:
        lines.append(f"    ({' or '.join(entry.choices)})")
    return lines


def _leaf(parent: Element, name: str, content: str) -> None:
    SubElement(parent, name).text = content
