"""
What a remote method says about itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., Awaitable[object]])


def at_any_time(method: F) -> F:
    """Mark a C{remote_} method that only looks: it does not wait for work on its instance."""
    method.at_any_time = True  # type: ignore[attr-defined]
    return method


def in_turn(method: object) -> bool:
    """Whether messages for a method wait for earlier ones about the same instance."""
    return not getattr(method, "at_any_time", False)
