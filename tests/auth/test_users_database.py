"""Users in the database."""

from __future__ import annotations

from twisted.logger import globalLogPublisher

from nova_tx.auth.database import DatabaseUsers
from nova_tx.testing.conformance.users import make_users_tests
from nova_tx.testing.database import memory_database


class TestDatabaseUsers(make_users_tests(lambda: DatabaseUsers(memory_database()))):  # type: ignore[misc]
    """The suite of IUsers on tables."""

    async def test_audit(self) -> None:
        """Each grant and its end leave a line that says who, what and where."""
        users = await self._cloud()
        lines: list[str] = []

        def observe(event: dict[str, object]) -> None:
            lines.append(str(event["log_format"]).format(**event))

        globalLogPublisher.addObserver(observe)
        try:
            await users.add_role("ann", "netadmin", None)
            await users.add_role("ann", "netadmin", "shop")
            await users.remove_role("ann", "netadmin", "shop")
            await users.remove_role("ann", "netadmin", None)
        finally:
            globalLogPublisher.removeObserver(observe)
        assert lines == [
            "Adding sitewide role netadmin to user ann",
            "Adding role netadmin to user ann in project shop",
            "Removing role netadmin from user ann on project shop",
            "Removing sitewide role netadmin from user ann",
        ]
