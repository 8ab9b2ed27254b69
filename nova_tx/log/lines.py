"""
Events as lines: in Nova's formats or as JSON, with their request, and without secrets.
                                                                        [spec/01 section 7]
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from twisted.logger import LogLevel, formatEvent

from nova_tx.flags import LogFlags
from nova_tx.log import request

Event = dict[str, Any]

_SECRET = re.compile(
    r"secret|passw|signature|token|private|credential|user_data|authorization", re.I
)
LEVEL_NAMES = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO",
    LogLevel.warn: "WARNING",
    LogLevel.error: "ERROR",
    LogLevel.critical: "CRITICAL",
}
#: Whoever passes a message on is not where it comes from.
_PASSES_ON = re.compile(r"(twisted\.logger|twisted\.python\.log|logging|nova_tx\.log)(\.|\Z)")
#: Those of eight bits too: a terminal takes 0x9b for the beginning of an escape.  [ECMA-48 5.3]
_CONTROL = {
    number: f"\\x{number:02x}"
    for number in (*range(32), *range(127, 160))
    if chr(number) not in "\n\t"
}
#: What Twisted calls messages of its old kind.
_LEGACY = "log_legacy"


def redacted(event: Event) -> Event:
    """The event with the values of fields that are named like secrets taken out."""
    return {key: "***" if _is_secret(key) else value for key, value in event.items()}


@functools.lru_cache(1024)
def _is_secret(key: str) -> bool:
    return _SECRET.search(key) is not None and not key.startswith("log_")


def name(event: Event) -> str:
    """The logger that an event comes from."""
    found = str(event.get("log_namespace", "-"))
    return "twisted" if found == _LEGACY else found


class Lines:
    """What a program's events look like."""

    def __init__(self, flags: LogFlags, program: str, host: str, shared: bool = False) -> None:
        """
        @param shared: several processes write the same log: each line begins with its process.
        """
        self._flags = flags
        self._front = "%(process)d " if shared else ""
        self._always = {"processName": program, "hostname": host}
        self.text: Callable[[Event], str] = self._json if flags.log_json else self._plain

    def _plain(self, event: Event) -> str:
        """An event as text, ending in a newline; a traceback's lines have their prefix."""
        flags, context = self._flags, request.get()
        parts = _Parts(event, self._always)
        template = flags.logging_default_format_string
        if context is not None:
            template = flags.logging_context_format_string
            parts.update(request_id=context.request_id, user=context.user, project=context.project)
        if parts["levelname"] == "DEBUG" and flags.logging_debug_format_suffix:
            template = f"{template} {flags.logging_debug_format_suffix}"
        lines = _fill(self._front + template, parts).split("\n") + _trace(event)
        if len(lines) > 1:  # whoever reads a log must not take them for lines of others
            prefix = _fill(flags.logging_exception_prefix, parts)
            lines[1:] = [f"{prefix}{each}" for each in lines[1:]]
        return "\n".join(lines) + "\n"

    def _json(self, event: Event) -> str:
        """An event as a JSON object in one line."""
        context = request.get()
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(event.get("log_time", 0), UTC).strftime(
                "%Y-%m-%dT%H:%M:%S.%fZ"
            ),
            "level": _level(event),
            "name": name(event),
            "request_id": context and context.request_id,
            "user": context and context.user,
            "project": context and context.project,
            "host": self._always["hostname"],
            "binary": self._always["processName"],
            "process": os.getpid(),
            "message": _message(event),
        }
        trace = _trace(event)
        if trace:
            told["traceback"] = "\n".join(trace)
        return json.dumps(told) + "\n"


class _Parts(dict[str, Any]):
    """What a format may name; what costs to find out is found when it does."""

    def __init__(self, event: Event, always: dict[str, str]) -> None:
        super().__init__(
            asctime=_shown(event.get("log_time", 0.0)),
            levelname=_level(event),
            name=name(event),
            message=_message(event),
            process=os.getpid(),
            **always,
        )
        self._event = event

    def __missing__(self, key: str) -> Any:
        if key not in ("funcName", "pathname", "lineno"):
            raise KeyError(key)
        self.update(self._event.get("log_caller") or _caller())
        return self[key]


def _caller() -> dict[str, Any]:
    """Where the event that is being written was said."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _PASSES_ON.match(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return {"funcName": "-", "pathname": "-", "lineno": 0}
    code = frame.f_code
    return {"funcName": code.co_name, "pathname": code.co_filename, "lineno": frame.f_lineno}


def _message(event: Event) -> str:
    text = _formatted(redacted(event))
    return text if text.isprintable() else text.translate(_CONTROL)


def _formatted(event: Event) -> str:
    """As Twisted formats it; sooner, if Python's own formats can do it."""
    template = event.get("log_format")
    if isinstance(template, str) and "log_flattened" not in event:
        try:
            return template.format_map(event)
        except Exception:
            pass  # Twisted calls what is to be called, and says what is wrong
    return formatEvent(event)


def _trace(event: Event) -> list[str]:
    failure = event.get("log_failure")
    if failure is None:
        return []
    text: str = failure.getTraceback()
    return [line for line in text.translate(_CONTROL).rstrip().split("\n") if line]


def _level(event: Event) -> str:
    return LEVEL_NAMES[event.get("log_level") or LogLevel.info]


def _shown(moment: float) -> str:
    """When something was said, as the host's clock shows it and Python's logging writes it."""
    whole = int(moment)
    return f"{_second(whole)},{int((moment - whole) * 1000):03}"


@functools.lru_cache(8)
def _second(moment: int) -> str:
    """Kept, for lines of the same second are many."""
    return datetime.fromtimestamp(moment).isoformat(" ")


def _fill(template: str, parts: _Parts) -> str:
    try:
        return template % parts
    except (KeyError, ValueError, TypeError):  # a format with mistakes loses no message
        return " ".join(str(value) for value in parts.values())
