"""
docs/nova-manage.md, written from the commands themselves: C{python -m nova_tx.manage.reference}.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from nova_tx.manage import catalogue
from nova_tx.manage.catalogue import Category

_HEAD = """\
# nova-manage, command by command

Written by `python -m nova_tx.manage.reference > docs/nova-manage.md`; a test compares.

`nova-manage [flags] category action [args…]`. Any beginning of a name will do, in either case:
`nova-manage u l` lists users. Flags stand before the category; without `--flagfile`, `nova.conf`
beside the program is read, or else `/etc/nova/nova.conf`. Words in brackets may be left out, or be
`''` if others follow.

* **For programs**: each list takes `--json` and prints an array of objects, one a line; times are
  UTC. No secret is in any list.
* **Exit status**: 0; 1 if it failed, with a sentence on stderr, or if it was to explain itself; 2
  if there is no such command, with those that there are (also of two that fail so since 2011:
  `fixed list` of a host that is none, `instance_type create` that the database refuses); 130 after
  ^C.
* **All or nothing**: what a command does in the database is one transaction. What takes longer than
  two seconds shows a bar, if a person looks.
* **Completion**: `. <(nova-manage completion bash)`, likewise `zsh`: categories, actions, options,
  flags, and users, projects and hosts that there are.
* **Without a broker** all of them work, but for `config check`, which tries it. `image` works with
  nova-objectstore.

When something does not work, begin with `nova-manage config check`: it reads the flag files, names
every mistake in them, tries the database, users, the broker, libvirt, disks, the clock, addresses
and ports, and says what to do. `nova-manage status --watch` is the whole cloud on one screen.
"""


def page() -> str:
    """The page."""
    return "\n".join((_HEAD, *map(_category, _without_aliases())))


def _without_aliases() -> Iterator[tuple[Category, str]]:
    """Every category, and what else it is called."""
    found: dict[str, list[Category]] = {}
    for category in catalogue.categories().values():
        module = next(iter(category.actions.values())).__module__
        found.setdefault(module, []).append(category)
    for module, named in found.items():
        its = module.rpartition(".")[2]
        (category,) = (each for each in named if each.name == its)
        yield category, ", ".join(each.name for each in named if each.name != its)


def _category(entry: tuple[Category, str]) -> str:
    category, alias = entry
    module = sys.modules[next(iter(category.actions.values())).__module__]
    meaning = re.sub(r"\s*\[spec.*\]", "", " ".join((module.__doc__ or "").split()))
    lines = [f"## {category.name}" + (f", {alias}" if alias else ""), "", meaning, ""]
    for action in category.actions.values():
        lines += [f"    {catalogue.synopsis(category, action)}", "", _help(action), ""]
    return "\n".join(lines)


def _help(action: Callable[..., Any]) -> str:
    return inspect.getdoc(action) or ""


if __name__ == "__main__":
    sys.stdout.write(page())
