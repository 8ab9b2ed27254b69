"""
The command line of a daemon, as twistd sees it: everything is handed to the flags.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.python import usage

from nova_tx.errors import StartupError
from nova_tx.flagfile import default_flagfile
from nova_tx.flags import Flags, LogFlags

_HELP = ("--help", "-help", "-?", "--helpshort", "-h")


class DaemonOptions(usage.Options):
    """
    Reads the flags of one daemon.

    @cvar wanted: the sections that it reads.
    @cvar presets: values that its flags have where nothing is said of them.
    @ivar words: what it read.
    """

    wanted: Sequence[type[Any]] = ()
    presets: Mapping[str, object] = {}
    program = "nova"
    flags: Flags
    words: Sequence[str]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        words = list(sys.argv[1:] if options is None else options)
        wanted = (*self.wanted, LogFlags)
        if any(word in _HELP for word in words):
            print(Flags(wanted).usage(self.program))
            raise SystemExit(1)  # as gflags does                       [spec/11 section 1]
        if not any("flagfile" in word for word in words):
            found = default_flagfile(sys.argv[0])
            if found:
                words.insert(0, f"--flagfile={found}")
        self.words = words
        try:
            self.flags = Flags.load(words, wanted, **self.presets)
        except StartupError as error:
            print(f"{self.program}: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        if self.flags.positional:
            print(f"{self.program}: {self.flags.positional[0]!r} is not a flag", file=sys.stderr)
            raise SystemExit(1)

    @property
    def logfile(self) -> str | None:
        """Where twistd was told to log: a path, C{-}, or None for standard output."""
        parent: Any = self.parent or {}
        if parent.get("logfile"):
            return str(parent["logfile"])
        return None if parent.get("nodaemon", True) else "twistd.log"
