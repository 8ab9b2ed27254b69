"""Users in the database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from twisted.logger import LogEvent, globalLogPublisher

from nova_tx.auth.database import DatabaseUsers
from nova_tx.db import users as rows
from nova_tx.db.engine import Database
from nova_tx.db.schema import users as table
from nova_tx.errors import StartupError, Unavailable
from nova_tx.flags import SecretsFlags
from nova_tx.testing.conformance.users import make_users_tests


class TestDatabaseUsers(make_users_tests(DatabaseUsers)):  # type: ignore[misc]
    """The suite of IUsers on tables."""

    @pytest.fixture(autouse=True)
    def _prepare(self, database: Database, tmp_path: Path) -> None:
        self._database = database
        self._file = tmp_path / "secrets.key"

    def make(self) -> DatabaseUsers:
        return DatabaseUsers(self._database, SecretsFlags(str(self._file)))

    def _stored(self) -> dict[str, Any]:
        """What is in the tables of secrets, by user: both columns."""
        with self._database.engine.connect() as txn:
            found = txn.execute(select(table.c.id, table.c.secret, table.c.secret_key)).all()
        return {row.id: (row.secret, row.secret_key) for row in found}

    async def test_sealed(self) -> None:
        """No secret is in the tables as it was given: neither a new one nor a changed one."""
        users = await self._cloud()
        await users.modify_user("ann", None, "another-secret", None)
        stored = self._stored()
        assert set(stored) == {"joe", "ann", "eve"}
        for secret, before in stored.values():
            assert secret.startswith("sealed ") and before == ""
        assert (await users.user("ann")).secret_key == "another-secret"
        assert (await self.make().find("ann-access", "shop")).user.secret_key == "another-secret"

    async def test_of_before(self) -> None:
        """Secrets from before they were sealed work, are told of at start, and are sealed once."""
        users: Any = self.make()
        with self._database.engine.begin() as txn:
            for name in ("joe", "ann"):
                rows.create(txn, name, f"{name}-access", "sealed", False)
                txn.execute(text("UPDATE users SET secret = NULL, secret_key = 'old-secret'"))
        assert [each.secret_key for each in await users.users()] == ["old-secret"] * 2
        warned: list[LogEvent] = []
        globalLogPublisher.addObserver(warned.append)
        try:
            await users.open()
            assert not self._file.exists()
            assert await users.seal_all() == 2
            assert await users.seal_all() == 0
            await users.open()
        finally:
            globalLogPublisher.removeObserver(warned.append)
        assert [each["log_format"] for each in warned] == [
            "some users' secrets are not sealed: run nova-manage db sync"
        ]
        assert [each.secret_key for each in await users.users()] == ["old-secret"] * 2
        assert all(secret.startswith("sealed ") for secret, _ in self._stored().values())
        assert {before for _, before in self._stored().values()} == {""}

    async def test_key_away(self) -> None:
        """Without the key nothing is shown or written, and no other key is made."""
        users = await self._cloud()
        await users.open()
        os.rename(self._file, self._file.with_name("elsewhere"))
        before, other = self._stored(), self.make()
        for asked in (
            lambda: other.open(),
            lambda: other.users(),
            lambda: other.create_user("bob", None, None, False),
            lambda: other.modify_user("joe", None, "new", None),
            lambda: other.rotate_key(),
        ):
            with pytest.raises(StartupError, match="is not there: copy it from the host"):
                await asked()
        assert self._stored() == before and not self._file.exists()

    async def test_foreign_key(self) -> None:
        """A key of another cloud is refused at start."""
        await self._cloud()
        self._file.unlink()
        DatabaseUsers(self._database, SecretsFlags(str(self._file)))._seals.add_key()
        with pytest.raises(StartupError, match="has not the key that sealed them"):
            await self.make().open()

    async def test_rotate(self) -> None:
        """After a rotation only the new key is needed; all have the secrets that they had."""
        users = await self._cloud()
        other, before = self.make(), self._stored()
        key = self._file.read_text()
        await other.open()
        assert await users.rotate_key() == 3
        assert self._file.read_text().splitlines(keepends=True)[1:] == [key]
        after = self._stored()
        assert {name for name in after if after[name] != before[name]} == {"joe", "ann", "eve"}
        assert (await other.user("joe")).secret_key == "joe-secret"
        newest = self._file.read_text().splitlines()[0]
        self._file.write_text(newest + "\n")
        assert [each.secret_key for each in await self.make().users()] == [
            f"{name}-secret" for name in ("ann", "eve", "joe")
        ]

    async def test_rotated_elsewhere(self, logged_errors: Any) -> None:
        """A daemon without the new key can't say who asks: try again; its log says what to do."""
        users = await self._cloud()
        key = self._file.read_bytes()
        await users.rotate_key()
        both = self._file.read_bytes()
        self._file.write_bytes(key)
        other = self.make()
        with pytest.raises(Unavailable) as caught:
            await other.find("joe-access", "shop")
        assert str(self._file) not in str(caught.value)
        (told,) = logged_errors.flush()
        assert told.endswith("copy it from the host that has it, or from the backup")
        self._file.write_bytes(both)
        assert (await other.find("joe-access", "shop")).user.secret_key == "joe-secret"

    async def test_rotation_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rotation that fails in the middle leaves every secret as it was, and readable."""
        users = await self._cloud()
        before = self._stored()
        calls: list[str] = []
        real = users._seals.seal

        def fail(user_id: str, *rest: Any) -> str:
            calls.append(user_id)
            if len(calls) == 3:
                raise ZeroDivisionError
            return str(real(user_id, *rest))

        monkeypatch.setattr(users._seals, "seal", fail)
        with pytest.raises(ZeroDivisionError):
            await users.rotate_key()
        assert self._stored() == before
        assert (await self.make().user("joe")).secret_key == "joe-secret"
