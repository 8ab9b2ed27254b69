"""What several logs say of one request, as one story."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

from nova_tx.errors import InvalidInput

#: The time that lines begin with.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*")


def story(request_id: str, paths: Sequence[str]) -> list[str]:
    """
    The lines of a request in some files, and in all files of some directories, by their time.

    Of one file they stay in order. syslog's C{#012} are ends of lines.

    @raise InvalidInput: a file can't be read.
    """
    marked = re.compile(re.escape(f"[{request_id}") + r"[ \]]")
    found: list[tuple[str, str]] = []
    for path in _files(paths):
        time = ""
        for line in _lines(path):
            if marked.search(line):
                at = _TIME.match(line)
                time = at[0] if at else time
                found.append((time, line.replace("#012", "\n")))
    return [line for _, line in sorted(found, key=lambda each: each[0])]


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        if os.path.isdir(path):
            names = sorted(os.listdir(path))
            yield from (
                os.path.join(path, name)
                for name in names
                if os.path.isfile(os.path.join(path, name))
            )
        else:
            yield path


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.rstrip("\n")
    except OSError as error:
        raise InvalidInput(f"can't read {path}: {error.strerror}") from None
