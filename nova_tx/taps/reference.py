"""
docs/flags.md and etc/nova.conf.sample, written from the flags themselves.

C{python -m nova_tx.taps.reference flags} prints the one, C{sample} the other.
"""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from nova_tx import unbuilt
from nova_tx.flag_fields import Entry, SyntaxFlags, entries
from nova_tx.flag_help import as_text, title
from nova_tx.flags import sections
from nova_tx.manage.parts import SECTIONS
from nova_tx.taps.options import ALWAYS

#: Daemons and nova-manage.
_PROGRAMS = 7

_KINDS = {str: "text", int: "integer", float: "number", bool: "boolean", tuple: "list"}

_HEAD = """\
# Flags

Written by `python -m nova_tx.taps.reference flags > docs/flags.md`; a test compares.

A flag is given on the command line or in a flag file, which all programs may share: `--name=value`,
`--name value`, `-name=value`; a boolean is `--name`, `--noname`, `--name=true`. A name may be
shortened as long as it is no other's beginning, too. The command line is stronger than a file, the
last of several is stronger than those before. In a text `$name` and `${name}` are another flag's
value, and `$$` is a dollar, also in passwords.

A flag file has one flag a line; blank lines, and those that begin with `#` or `//`, say nothing;
there are no quotes. `--flagfile=PATH` reads another one at that place. Without `--flagfile` on the
command line it is `nova.conf` beside the program, or else `/etc/nova/nova.conf`;
[nova.conf.sample](../etc/nova.conf.sample) has every flag. A file with passwords in it should be
its owner's alone; if everyone can read it, programs say so.

An unknown flag is an error on the command line; in a file it is passed over, and the log says once
where it is and which one may have been meant. A program passes over flags that only others read.
`--help` (or `-?`), `--helpshort` and `--helpxml` show what a program reads, and end it with
status 1.

Values that name a driver (`image_service`, `scheduler_driver`, …) are Nova's class names, which
mean ours, or short names of ours, or what other distributions register:
[adding.md](adding.md#a-driver-in-a-package-of-its-own).
"""

_UNBUILT = """\
## Flags whose rooms are not built yet

They are accepted and have no effect, which a program that is given one says at its start; no
program's `--help` has them.
"""

_SETTLED = """\
## Flags that need no room

Accepted likewise; what they were for is settled otherwise here.
"""

_SPELLINGS = """\
## Spellings

Names that the user's manual has, and what they are taken for; the log says so.
"""

_SAMPLE = """\
# Every flag with its default; written by `python -m nova_tx.taps.reference sample`.
# What is <so> is found on the machine. docs/flags.md says who reads what, nova.conf beside this
# file is a short one to begin with. Blanks at the end of a line are no part of a value. A file
# with passwords in it must not be everyone's: chmod 600.
"""


def readers() -> Mapping[type[Any], list[str]]:
    """Each section, and the programs that read it."""
    wanted: dict[str, tuple[type[Any], ...]] = {}
    plugins: Iterator[Any] = iter(getPlugins(IServiceMaker))
    for plugin in plugins:
        if plugin.tapname.startswith("nova-"):
            options = importlib.import_module(plugin.module).Options
            wanted[plugin.tapname] = (*options.wanted, *ALWAYS)
    wanted["nova-manage"] = tuple(SECTIONS)
    return {
        section: sorted(name for name, found in wanted.items() if section in found)
        for section in sections()
    }


def flags_page() -> str:
    """docs/flags.md."""
    lines = [_HEAD]
    for section, programs in readers().items():
        lines += [f"## {title(section).rstrip('.')}", "", f"Read by {_all(programs)}.", ""]
        lines += _table(entries(section))
    lines += ["## Of every program", "", *_table(entries(SyntaxFlags)), _UNBUILT]
    for room, flags in unbuilt.ROOMS.items():
        what = room.partition(", which ")[0]
        lines += [f"### {what[0].upper()}{what[1:]}", "", "| flag | default |", "|---|---|"]
        lines += [f"| `{name}` | {_code(_default(flags[name]))} |" for name in sorted(flags)]
        lines.append("")
    lines += [_SETTLED, "| flag | default | why |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {_code(_default(default))} | {why} |"
        for name, (default, why) in sorted(unbuilt.SETTLED.items())
    ]
    lines += ["", _SPELLINGS, "| spelling | is |", "|---|---|"]
    lines += [f"| `{wrong}` | `{right}` |" for wrong, right in sorted(unbuilt.SPELLINGS.items())]
    return "\n".join(lines) + "\n"


def sample_file() -> str:
    """etc/nova.conf.sample."""
    lines = [_SAMPLE]
    for section, programs in readers().items():
        lines += [f"## {title(section).rstrip('.')} ({_all(programs)})", ""]
        for entry in sorted(entries(section), key=lambda each: each.name):
            lines += textwrap.wrap(entry.meaning, 98, initial_indent="# ", subsequent_indent="# ")
            value = f"<{entry.show}>" if entry.show else as_text(entry)
            lines += [f"#--{entry.name}={value}".rstrip(), ""]
    return "\n".join(lines)


def _all(programs: list[str]) -> str:
    return "every program" if len(programs) == _PROGRAMS else ", ".join(programs)


def _table(found: list[Entry]) -> Iterator[str]:
    yield from ("| flag | is | default | for |", "|---|---|---|---|")
    for entry in sorted(found, key=lambda each: each.name):
        default = entry.show or _code(as_text(entry))
        kind = " or ".join(entry.choices) or _KINDS[entry.kind]
        yield f"| `{entry.name}` | {kind} | {default} | {_cell(entry.meaning)} |"
    yield ""


def _default(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write({"flags": flags_page, "sample": sample_file}[sys.argv[1]]())
