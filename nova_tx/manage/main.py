"""
Administers a cloud: users, projects, roles, networks, and what is in the database.

C{nova-manage [flags] category action [args]}; names may be shortened.  [spec/10 section 1]
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nova_tx.db.dialects import reason
from nova_tx.errors import NovaError, StartupError
from nova_tx.flagfile import default_flagfile
from nova_tx.flags import Flags
from nova_tx.manage import catalogue
from nova_tx.manage.catalogue import Category, NoChoice, WrongCount
from nova_tx.manage.parts import SECTIONS, CommandFailed, Parts

_HELP = ("--help", "-help", "-?", "--helpshort", "-helpshort")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    @param argv: the program's name, flags, category, action and arguments.
    @return: 0, 1 if the command failed, 2 if there is no such command.
    """
    program, *words = sys.argv if argv is None else argv
    try:
        flags = _flags(program, words)
    except StartupError as error:
        return _complain(str(error))
    if flags is None:
        return 1
    for warning in flags.warnings:
        print(warning, file=sys.stderr)
    try:
        return _command(program, flags)
    except NoChoice as no:
        what = "matched multiple options" if no.matching else "does not match any options"
        return _listing(f"{no.typed} {what}:", no.matching or no.names)


def _flags(program: str, words: list[str]) -> Flags | None:
    """The flags in front of the first word that is none; None if help was wanted."""
    flags = []
    for word in words:
        if not word.startswith("-"):
            break
        flags.append(word)
    if any(word in _HELP for word in flags):
        print(__doc__.replace("C{", "").replace("}", "").strip().split("  [")[0], end="\n\n")
        short = any("short" in word for word in flags)
        print("" if short else Flags(SECTIONS).usage(program), end="")
        return None
    found = None if any("flagfile" in word for word in words) else default_flagfile(program)
    return Flags.load([f"--flagfile={found}", *words] if found else words, SECTIONS)


def _command(program: str, flags: Flags) -> int:
    words = flags.positional
    usage = f"{program} category action [<args>]"
    categories = catalogue.categories()
    if not words:
        print(usage)
        return _listing("Available categories:", categories)
    category = catalogue.choose(words[0], categories)
    if len(words) == 1:
        print(usage)
        return _listing(f"Available actions for {category.name} category:", category.actions)
    action = catalogue.choose(words[1], category.actions)
    if any(word in _HELP for word in words[2:]):
        print(catalogue.usage(category, action))
        return 1
    try:
        arguments = catalogue.arguments(action, words[2:])
    except WrongCount:
        print("Possible wrong number of arguments supplied")
        print(catalogue.usage(category, action))
        return 1
    except NovaError as error:
        return _complain(str(error))
    return _run(flags, category, action, arguments)


def _run(
    flags: Flags, category: Category, action: Callable[..., Any], arguments: dict[str, Any]
) -> int:
    parts = Parts(flags)
    try:
        _now(_story(parts, category, action, arguments))
    except CommandFailed as error:
        return _complain(str(error), error.code)
    except (NovaError, StartupError) as error:
        return _complain(str(error))
    except DBAPIError as error:
        return _complain(f"The database refused: {reason(error)}")
    except Exception:
        print("Command failed; what follows is a fault of nova-manage", file=sys.stderr)
        raise
    return 0


async def _story(
    parts: Parts, category: Category, action: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    await parts.open(category.any_version)
    try:
        done = action(parts, **arguments)
        if inspect.isawaitable(done):
            await done
    finally:
        await parts.database.close()


def _now(story: Any) -> None:
    """The end of a coroutine that waits for nothing but what has happened already."""
    ended: list[Any] = []
    waiting = Deferred.fromCoroutine(story).addBoth(ended.append)
    if not waiting.called:
        raise RuntimeError("a command waits for something that needs a reactor")
    if isinstance(ended[0], Failure):
        ended[0].raiseException()


def _listing(title: str, names: Iterable[str]) -> int:
    print(title)
    for name in names:
        print(f"\t{name}")
    return 2


def _complain(text: str, code: int = 1) -> int:
    print(text, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
