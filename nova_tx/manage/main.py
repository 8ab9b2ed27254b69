"""
Administers a cloud: users, projects, roles, networks, and what is in the database.

C{nova-manage [flags] category action [args]}; names may be shortened.  [spec/10 section 1]
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from sqlalchemy.exc import DBAPIError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from nova_tx import flag_help
from nova_tx.db.dialects import reason
from nova_tx.errors import NovaError, StartupError
from nova_tx.flagfile import HelpAsked, default_flagfile
from nova_tx.flags import Flags
from nova_tx.manage import catalogue
from nova_tx.manage.catalogue import Category, NoChoice, WrongCount
from nova_tx.manage.listing import Listing
from nova_tx.manage.parts import SECTIONS, CommandFailed, Parts
from nova_tx.manage.reactor import run

_HELP = ("--help", "-help", "-?", "--helpshort", "-helpshort")


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    @param argv: the program's name, flags, category, action and arguments.
    @return: 0, 1 if the command failed, 2 if there is no such command.
    """
    try:
        return _main(sys.argv if argv is None else argv)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _main(argv: Sequence[str]) -> int:
    program, *words = argv
    try:
        flags = _flags(program, words)
    except StartupError as error:
        if not _asks_for_check(words):
            return _complain(str(error))
        # it finds out by itself what is wrong
        flags = Flags.load(words[-3 if words[-1] == catalogue.JSON else -2 :], SECTIONS)
    if flags is None:
        return 1
    if not _asks_for_check(flags.positional):
        for warning in flags.warnings:
            print(warning, file=sys.stderr)
    try:
        return _command(program, flags, words)
    except NoChoice as no:
        what = "matched multiple options" if no.matching else "does not match any options"
        return _listing(f"{no.typed} {what}:", no.matching or no.names)


def _flags(program: str, words: list[str]) -> Flags | None:
    """The flags in front of the first word that is none; None if help was wanted."""
    try:
        return Flags.load(words, SECTIONS, default_flagfile(program))
    except HelpAsked as asked:
        print(flag_help.answer(asked.kind, program, __doc__, SECTIONS, ()))
        return None


def _asks_for_check(words: Sequence[str]) -> bool:
    """Whether a command line ends with C{config check}, which is for flags that are wrong."""
    words = words[:-1] if words[-1:] == [catalogue.JSON] else words
    try:
        category = catalogue.choose(words[-2], catalogue.categories())
        return catalogue.choose(words[-1], category.actions).__module__.endswith(".config")
    except (NoChoice, IndexError):
        return False


def _command(program: str, flags: Flags, argv: list[str]) -> int:
    words = flags.positional
    usage = f"{program} category action [<args>]"
    categories = catalogue.categories()
    if not words:
        print(usage)
        return _listing("Available categories:", categories)
    category = catalogue.choose(words[0], categories)
    action = category.itself
    if action is not None:
        words = [words[0], *words]
    elif len(words) == 1:
        print(usage)
        return _listing(f"Available actions for {category.name} category:", category.actions)
    else:
        action = catalogue.choose(words[1], category.actions)
    if any(word in _HELP for word in words[2:]):
        print(catalogue.usage(category, action))
        return 1
    try:
        arguments, options = catalogue.arguments(action, words[2:])
    except WrongCount:
        print("Possible wrong number of arguments supplied")
        print(catalogue.usage(category, action))
        return 1
    except NovaError as error:
        return _complain(str(error))
    parts = Parts(flags, category.patience, (program, *argv), catalogue.JSON in words[2:])
    return _run(parts, category, functools.partial(action, parts, *arguments, **options))


def _run(parts: Parts, category: Category, action: Callable[[], Any]) -> int:
    story = _story(parts, category, action)
    try:
        done = run(story) if category.reactor else _now(story)
        if isinstance(done, Listing):
            for piece in done.json() if parts.json else done.text():
                sys.stdout.write(piece)
            sys.stdout.flush()
            if done.failure:
                return _complain(done.failure)
    except CommandFailed as error:
        return _complain(str(error), error.code)
    except (NovaError, StartupError) as error:
        return _complain(str(error))
    except DBAPIError as error:
        return _complain(f"The database refused: {reason(error)}")
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception:
        print("Command failed; what follows is a fault of nova-manage", file=sys.stderr)
        raise
    return 0


async def _story(parts: Parts, category: Category, action: Callable[[], Any]) -> Any:
    if category.database != catalogue.NONE:
        await parts.open(category.database == catalogue.ANY)
    try:
        done = action()
        return await done if inspect.isawaitable(done) else done
    finally:
        await parts.close()


def _now(story: Coroutine[Deferred[Any], Any, Any]) -> Any:
    """What a coroutine comes to that waits for nothing but what has happened already."""
    ended: list[Any] = []
    waiting = Deferred.fromCoroutine(story).addBoth(ended.append)
    if not waiting.called:
        raise RuntimeError("a command waits for something that needs a reactor")
    if isinstance(ended[0], Failure):
        ended[0].raiseException()
    return ended[0]


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
