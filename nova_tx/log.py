"""
Log lines in Nova's formats, with the request they belong to, and without secrets.
                                                                        [spec/01 section 7]
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.python.failure import Failure

from nova_tx.context import RequestContext
from nova_tx.flags import LogFlags

_log = Logger()

#: The request that is being worked on; follows coroutines and Deferreds' contexts.
request: ContextVar[RequestContext | None] = ContextVar("request", default=None)

_SECRET = re.compile(
    r"secret|passw|signature|token|private|credential|user_data|authorization", re.I
)

_LEVELS = {
    LogLevel.debug: "DEBUG",
    LogLevel.info: "INFO",
    LogLevel.warn: "WARNING",
    LogLevel.error: "ERROR",
    LogLevel.critical: "CRITICAL",
}


@contextmanager
def in_context(context: RequestContext) -> Iterator[None]:
    """Lines logged inside belong to this request."""
    token = request.set(context)
    try:
        yield
    finally:
        request.reset(token)


def background(work: Coroutine[Deferred[Any], Any, Any], what: str) -> Deferred[None]:
    """Start work that nobody waits for; its failure is logged."""

    def failed(failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("{what} failed", failure=failure, what=what)

    started: Deferred[Any] = Deferred.fromCoroutine(work)
    return started.addErrback(failed)


def redacted(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the values of fields that are named like secrets taken out."""
    return {key: "***" if _is_secret(key) else value for key, value in event.items()}


@functools.lru_cache(1024)
def _is_secret(key: str) -> bool:
    return _SECRET.search(key) is not None and not key.startswith("log_")


def observer(flags: LogFlags, out: TextIO) -> Callable[[dict[str, Any]], None]:
    """What writes events to a file as the flags say."""

    def observe(event: dict[str, Any]) -> None:
        level = event.get("log_level", LogLevel.info)
        if level is LogLevel.debug and not flags.verbose:
            return
        out.write(line(flags, event))
        out.flush()

    return observe


def with_process(flags: LogFlags) -> LogFlags:
    """The same formats, the process in front: for several that write the same log."""
    return dataclasses.replace(
        flags,
        **{
            name: "%(process)d " + getattr(flags, name)
            for name in ("logging_context_format_string", "logging_default_format_string")
        },
    )


def line(flags: LogFlags, event: dict[str, Any]) -> str:
    """One event as text, ending in a newline; a traceback's lines have their prefix."""
    context = request.get()
    parts: dict[str, Any] = {
        "asctime": _time(event.get("log_time", 0)),
        "levelname": _LEVELS.get(event.get("log_level", LogLevel.info), "INFO"),
        "process": os.getpid(),
        "name": event.get("log_namespace", "-"),
        "message": formatEvent(redacted(event)),
    }
    template = flags.logging_default_format_string
    if context is not None:
        template = flags.logging_context_format_string
        parts.update(request_id=context.request_id, user=context.user, project=context.project)
    text = _fill(template, parts)
    failure = event.get("log_failure")
    if failure is not None:
        prefix = _fill(flags.logging_exception_prefix, parts)
        trace = failure.getTraceback()
        text += "".join(f"\n{prefix}{each}" for each in trace.rstrip().splitlines())
    return text + "\n"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "milliseconds").replace(".", ",")


def _fill(template: str, parts: dict[str, Any]) -> str:
    try:
        return template % parts
    except (KeyError, ValueError, TypeError):
        return " ".join(str(value) for value in parts.values())
