"""
The command line of a daemon, as twistd sees it: everything is handed to the flags.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.python import usage

from nova_tx import flag_help
from nova_tx.errors import StartupError
from nova_tx.flagfile import HelpAsked, default_flagfile
from nova_tx.flags import (
    DaemonFlags,
    Flags,
    LogFlags,
    MetricsFlags,
    NodeFlags,
    registered_sections,
)
from nova_tx.log import outputs
from nova_tx.log.daemon_log import DaemonLog
from nova_tx.log.levels import Levels
from nova_tx.log.lines import Lines

#: The sections that every daemon reads.
ALWAYS = (LogFlags, DaemonFlags, MetricsFlags)


class DaemonOptions(usage.Options):
    """
    Reads the flags of one daemon.

    @cvar wanted: the sections that it reads.
    @cvar own: those of them that are about what it does; C{--helpshort} shows these.
    @cvar presets: values that its flags have where nothing is said of them.
    @ivar words: what it read.
    """

    wanted: Sequence[type[Any]] = ()
    own: Sequence[type[Any]] = ()
    presets: Mapping[str, object] = {}
    program = "nova"
    flags: Flags
    words: Sequence[str]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        words = list(sys.argv[1:] if options is None else options)
        fallback = default_flagfile(sys.argv[0])
        try:
            wanted = (*self.wanted, *ALWAYS, *registered_sections())
            self.flags = Flags.load(words, wanted, fallback, **self.presets)
        except HelpAsked as asked:
            about = sys.modules[type(self).__module__].__doc__ or ""
            print(flag_help.answer(asked.kind, self.program, about, wanted, self.own))
            raise SystemExit(1) from None  # as gflags does               [spec/11 section 1]
        except StartupError as error:
            print(f"{self.program}: {error}", file=sys.stderr)
            raise SystemExit(1) from None
        if self.flags.fell_back:
            words.insert(0, f"--flagfile={fallback}")
        self.words = words
        if self.flags.positional:
            word = self.flags.positional[0].partition("=")[0]  # a password may be behind it
            print(f"{self.program}: {word!r} is not a flag", file=sys.stderr)
            raise SystemExit(1)
        self._tell_twistd()

    def _tell_twistd(self) -> None:
        """What twistd was not told on its own part of the command line is as the flags say."""
        twistd: Any = self.parent
        if twistd is not None and twistd["pidfile"] == type(twistd)()["pidfile"]:
            default = "" if twistd["nodaemon"] else f"{self.program}.pid"
            twistd["pidfile"] = self.flags.section(DaemonFlags).pidfile or default

    @property
    def syslog(self) -> str | None:
        """The name under which to log to syslog; None: not to."""
        twistd: Any = self.parent or {}
        if twistd.get("syslog"):
            return str(twistd["prefix"])
        return self.program if self.flags.section(LogFlags).use_syslog else None

    @property
    def logfile(self) -> str | None:
        """The path of the file to log to; C{-} is standard output, None is none."""
        twistd: Any = self.parent or {}
        said = twistd.get("logfile") or outputs.path(self.flags.section(LogFlags), self.program)
        if said or self.syslog:
            return said and str(said)
        return "-" if twistd.get("nodaemon", True) else "twistd.log"

    def log(self, shared: bool = False) -> DaemonLog:
        """
        The daemon's log, not opened yet.

        @param shared: several processes write it.
        @raise StartupError: a flag is not understood.
        """
        flags = self.flags.section(LogFlags)
        levels = Levels(flags)
        lines = Lines(flags, self.program, self.flags.section(NodeFlags).host, shared)
        path, syslog = self.logfile, self.syslog

        def opened() -> list[outputs.Output]:
            found: list[outputs.Output] = []
            if path is not None:
                stdout = path == "-"
                found.append(outputs.Descriptor(1) if stdout else outputs.File(path))
            if syslog is not None:
                found.append(outputs.Syslog(syslog))
            return found

        return DaemonLog(levels, lines, opened)
