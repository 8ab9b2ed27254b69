"""What is logged, and for which request: for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from zope.interface import implementer

from nova_tx.log import request


@implementer(ILogObserver)
class LoggedLines:
    """
    Everything that is said, in any thread.

    @ivar told: the id of the request, or None, and the message.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str | None, str]] = []

    def __call__(self, event: dict[str, Any]) -> None:
        whose = request.get()
        self.told.append((None if whose is None else whose.request_id, formatEvent(event)))

    def of(self, text: str) -> list[str | None]:
        """Whose the messages are that have a text in them."""
        return [whose for whose, message in self.told if text in message]


@contextmanager
def logged_lines() -> Iterator[LoggedLines]:
    """What is logged inside."""
    lines = LoggedLines()
    globalLogPublisher.addObserver(lines)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(lines)
