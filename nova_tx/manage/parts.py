"""What commands work with: built from the flags when a command first asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any, TypeVar

from nova_tx.auth.authority import Authority
from nova_tx.auth.certification import LATER, Certification
from nova_tx.auth.database import DatabaseUsers
from nova_tx.auth.interfaces import IUsers
from nova_tx.auth.ldap import LdapUsers
from nova_tx.auth.roles import Roles
from nova_tx.db import upgrade
from nova_tx.db.dialects import absent
from nova_tx.db.engine import Database
from nova_tx.errors import AuthorityError
from nova_tx.flags import (
    AuthFlags,
    BackendFlags,
    CryptoFlags,
    Ec2Flags,
    Flags,
    ImageFlags,
    LdapFlags,
    LogFlags,
    NetworkFlags,
    NodeFlags,
    QuotaFlags,
    S3Flags,
    SecretsFlags,
    SqlFlags,
)
from nova_tx.registry import by_name, choose

S = TypeVar("S")
T = TypeVar("T")

#: The flags that commands read.
SECTIONS = (
    NodeFlags,
    LogFlags,
    SqlFlags,
    Ec2Flags,
    S3Flags,
    BackendFlags,
    ImageFlags,
    CryptoFlags,
    AuthFlags,
    SecretsFlags,
    LdapFlags,
    QuotaFlags,
    NetworkFlags,
)

#: Seconds that a person waits without being told how far it is.
UNTOLD = 2.0

_NO_DATABASE = """\
The above error may show that the database has not been created.
Please create a database using 'nova-manage db sync' before running this command."""


class _Wall:
    """Time for who has no reactor: what is to be done later is done after a sleep."""

    def seconds(self) -> float:
        return time.monotonic()

    def callLater(self, delay: float, fn: Callable[..., object], *args: Any) -> Any:
        time.sleep(delay)
        fn(*args)
        return SimpleNamespace(cancel=lambda: None)


class CommandFailed(Exception):
    """
    What to tell the operator.

    @ivar code: the exit status.
    """

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Parts:
    """
    The database, the users, the authority: the first parameter of every command.

    Nothing here needs a reactor: what is awaited has happened already.  (But for what
    commands make for themselves that say so, see L{nova_tx.manage.catalogue}.)
    """

    def __init__(
        self, flags: Flags, patience: float, argv: Sequence[str] = (), json: bool = False
    ) -> None:
        """
        @param patience: seconds that a transaction may take.
        @param argv: the program's name and its command line, to be read again by who finds
            faults in it.
        @param json: lists are for programs.
        """
        self._flags = flags
        self._patience = patience
        self.argv = argv
        self.json = json

    def section(self, wanted: type[S]) -> S:
        """The values of one section of flags."""
        return self._flags.section(wanted)

    @cached_property
    def database(self) -> Database:
        """The database; a person waits, so it is tried once."""
        once = replace(self.section(SqlFlags), sql_max_retries=1)
        return Database(once, _Wall(), inline=True, patience=self._patience)

    async def open(self, any_version: bool) -> None:
        """
        Reach the database; an SQLite that is not there is not made by this.

        @param any_version: also one whose tables are not there, or not this program's.
        @raise CommandFailed: it has no tables.
        @raise StartupError: it can't be reached, or is of another version.
        """
        there = not absent(self.database.engine.url)
        if there:
            await self.database.open()
        if any_version:
            return
        if not there or await self.database.read(upgrade.stored) == 0:
            where = self.database.engine.url.render_as_string(hide_password=True)
            raise CommandFailed(f"There are no tables in the database {where}\n{_NO_DATABASE}")
        await upgrade.check(self.database)

    async def close(self) -> None:
        """Let go of the database, if it was asked for."""
        if "database" in vars(self):
            await self.database.close()

    @cached_property
    def users(self) -> IUsers:
        """Users, as flag auth_driver says."""
        known = by_name((DatabaseUsers, LdapUsers), lambda each: each.names)  # type: ignore[attr-defined]
        chosen = choose(known, self.section(AuthFlags).auth_driver, "--auth_driver")
        if chosen is LdapUsers:
            return LdapUsers(self.section(LdapFlags), self.database, None, inline=True)
        return DatabaseUsers(self.database, self.section(SecretsFlags))

    @cached_property
    def roles(self) -> Roles:
        """The rules of roles."""
        return Roles(self.section(AuthFlags))

    @cached_property
    def certification(self) -> Certification:
        """Certificates of users."""
        return Certification(Authority(self.section(CryptoFlags)), self.database, _at_once)

    async def revoke(self, user_id: str | None, project_id: str | None) -> None:
        """
        Revoke certificates of who or what was taken away.

        @raise CommandFailed: the authority could not be told; all else is done.
        """
        try:
            await self.certification.revoke(user_id, project_id)
        except AuthorityError as error:
            raise CommandFailed(f"{error}\nIt is done, but {LATER}") from None


async def _at_once(fn: Callable[..., T], *args: Any) -> T:
    return fn(*args)
