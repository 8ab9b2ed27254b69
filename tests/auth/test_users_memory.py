"""Users in memory."""

from __future__ import annotations

from nova_tx.auth.memory import MemoryUsers
from nova_tx.testing.conformance.users import make_users_tests


class TestMemoryUsers(make_users_tests(MemoryUsers)):  # type: ignore[misc]
    """The suite of IUsers on dictionaries."""
