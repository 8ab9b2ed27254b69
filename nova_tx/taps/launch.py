"""
C{scripts/nova-compute …}: twistd's own options and the daemon's flags on one command line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from twisted.scripts._twistd_unix import ServerOptions
from twisted.scripts.twistd import run

_SHORT = {"n": "nodaemon", "l": "logfile", "d": "rundir", "u": "uid", "g": "gid", "r": "reactor"}


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """
    Part a command line into what is twistd's and what is the daemon's.

    C{-n}, C{--pidfile=x}, C{--logfile x} and their like are twistd's; what it
    does not know, C{--help} and C{--version} aside, is left to the daemon.
    """
    twistd: list[str] = []
    daemon: list[str] = []
    takes_value, alone = _known()
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, _ = word.lstrip("-").partition("=")
        name = _SHORT.get(name, name) if word.startswith("-") else ""
        if name in alone:
            twistd.append(f"--{name}")
        elif name in takes_value:
            twistd.append(f"--{name}={word.partition('=')[2] if equals else _next(left, name)}")
        else:
            daemon.append(word)
    return twistd, daemon


def _next(left: list[str], name: str) -> str:
    if not left:
        raise SystemExit(f"--{name} needs a value")
    return left.pop(0)


def _known() -> tuple[set[str], set[str]]:
    options = ServerOptions()
    names = {each.rstrip("=") for each in options.longOpt} - {"help", "version"}
    takes_value = {each.rstrip("=") for each in options.longOpt if each.endswith("=")}
    return names & takes_value, names - takes_value


def main(argv: Sequence[str] | None = None) -> None:
    """Run C{twistd [its options] NAME [flags]}; the first word is the path of the script NAME."""
    script, *words = sys.argv if argv is None else argv
    name = os.path.basename(script)
    twistd, daemon = split(words)
    sys.argv = [script, *twistd, name, *daemon]
    run()


if __name__ == "__main__":
    main(sys.argv[1:])
