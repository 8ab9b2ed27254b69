"""Flag files, line by line: every mistake, not only the first."""

from __future__ import annotations

import functools
import os
import re
import stat
from collections.abc import Sequence

from nova_tx.errors import StartupError
from nova_tx.flag_fields import entries
from nova_tx.flags import Flags, sections
from nova_tx.manage.checks.finding import OK, WARNING, WRONG, Finding

#: A URL with a password in it.
_PASSWORD = re.compile(r"://[^/@]*:[^/@]+@")


class FlagFiles:
    """
    What is wrong in a command line and in the flag files that it names.

    @ivar findings: of all of it.
    @ivar good: a command line of what can be understood.
    """

    def __init__(self, words: Sequence[str], fallback: str | None = None) -> None:
        """
        @param fallback: the flag file, if the words name none.
        """
        self.findings: list[Finding] = []
        self.good: list[str] = []
        self._read: list[str] = []
        self._words(words, fallback)
        if not self.findings:
            files = ", ".join(self._read) or "none; every flag has its default"
            self.findings.append(Finding(OK, "flags", f"flag files: {files}"))

    def flags(self) -> Flags | None:
        """The flags as far as they can be understood; None if they contradict each other."""
        try:
            return Flags.load(self.good, sections())
        except StartupError as error:
            self._wrong(str(error), "correct it; nothing else can be tried before")
            return None

    def _words(self, words: Sequence[str], fallback: str | None) -> None:
        """The flags of the command line, up to the first word that is none; files are weaker."""
        remaining = list(words)
        files: list[str] = []
        said: list[list[str]] = []
        while remaining and remaining[0].startswith("-"):
            word = remaining.pop(0)
            name, equals, value = word.lstrip("-").partition("=")
            if name == "flagfile":
                files.append(value if equals else (remaining.pop(0) if remaining else ""))
                continue
            tried = [word]
            if not equals and not self._understood(tried) and remaining:
                tried.append(remaining.pop(0))
            said.append(tried)
        for path in files or ([fallback] if fallback else []):
            self._file(path, ())
        for tried in said:
            self._try(tried, "")

    def _file(self, path: str, seen: tuple[str, ...]) -> None:
        path = os.path.realpath(os.path.expanduser(path))
        if path in seen:
            return
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._wrong(f"can't read flag file {path}: {reason}", "name another by --flagfile")
            return
        self._read.append(path)
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if not text or text.startswith(("#", "//")):
                continue
            words = [text] if "=" in text.split(None, 1)[0] else text.split(None, 1)
            name, equals, value = words[0].lstrip("-").partition("=")
            if name == "flagfile":
                self._file(value if equals else "".join(words[1:]), (*seen, path))
            else:
                self._try(words, f"{path}:{number}: ")
        self._private(path, lines)

    def _private(self, path: str, lines: Sequence[str]) -> None:
        if any(map(_tells, lines)) and stat.S_IMODE(os.stat(path).st_mode) & 0o007:
            text = f"{path} has a password in it, and everybody on this host can read it"
            self.findings.append(Finding(WARNING, "flags", text, f"chmod 640 {path}"))

    def _try(self, words: Sequence[str], where: str) -> None:
        """Take what can be understood, name what can't."""
        if not words[0].startswith("-"):
            # what is behind it may be a password
            name = words[0].partition("=")[0]
            self._wrong(f"{where}{name!r} is not a flag", "flags begin with --")
            return
        try:
            Flags.load(list(words), sections())
        except StartupError as error:
            if where and str(error).startswith("unknown flag"):
                text = f"{where}{error.args[0].replace(';', ' is ignored;', 1)}"
                self.findings.append(Finding(WARNING, "flags", text, "correct it, or take it out"))
                return
            if "names no flag" not in str(error):
                self._wrong(f"{where}{error}", "correct it, or take it out")
                return
        self.good += words

    def _understood(self, words: Sequence[str]) -> bool:
        try:
            return not Flags.load(list(words), sections()).positional
        except StartupError as error:
            return "needs a value" not in str(error)

    def _wrong(self, text: str, advice: str) -> None:
        self.findings.append(Finding(WRONG, "flags", text, advice))


def _tells(line: str) -> bool:
    """Whether a line sets a flag that is secret; one that is a URL is only by its password."""
    name, *_ = re.split(r"[=\s]+", line.strip().lstrip("-"), maxsplit=1)
    return name in _secrets() and ("://" not in line or _PASSWORD.search(line) is not None)


@functools.cache
def _secrets() -> frozenset[str]:
    """The names of flags that are secret."""
    return frozenset(e.name for section in sections() for e in entries(section) if e.secret)
