"""Users in the database."""

from __future__ import annotations

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import provider

from nova_tx.auth.database import DatabaseUsers
from nova_tx.db.engine import Database
from nova_tx.testing.conformance.users import make_users_tests


class TestDatabaseUsers(make_users_tests(DatabaseUsers)):  # type: ignore[misc]
    """The suite of IUsers on tables."""

    @pytest.fixture(autouse=True)
    def _prepare(self, database: Database) -> None:
        self._database = database

    def make(self) -> DatabaseUsers:
        return DatabaseUsers(self._database)

    async def test_audit(self) -> None:
        """Each grant and its end leave a line that says who, what and where."""
        users = await self._cloud()
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
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
