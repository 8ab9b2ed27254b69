"""
Certificates from their issue to their revocation: the authorities' files and the rows.

A row is there before anybody has the key, and says that a certificate is revoked before the
authority's list does: what ends in between is done by L{Certification.refresh}, or by asking again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nova_tx.auth.authority import Authority, Issued
from nova_tx.auth.interfaces import IUsers
from nova_tx.db import certificates
from nova_tx.db.engine import Database

#: What is to be done if a certificate's row says that it was revoked, and the list does not.
LATER = (
    "the list of revoked certificates is to be completed by 'nova-manage certificate refresh'"
    " on the host that has it"
)


class Certification:
    """Issues and revokes users' certificates."""

    def __init__(
        self,
        authority: Authority,
        database: Database,
        in_thread: Callable[..., Awaitable[Any]],
    ) -> None:
        """
        @param in_thread: where keys are made and certificates signed.
        """
        self._authority = authority
        self._database = database
        self._in_thread = in_thread

    async def issue(self, user_id: str, project_id: str) -> Issued:
        """
        A new key and certificate for a user in a project.

        @raise AuthorityError: the authority's files can't be used.
        """
        issued: Issued = await self._in_thread(self._authority.issue, user_id, project_id)
        await self._database.run(certificates.create, user_id, project_id, issued.file_name)
        return issued

    async def revoke(self, user_id: str | None = None, project_id: str | None = None) -> int:
        """
        Revoke certificates of a user, of a project, or of the one in the other.

        From then on this cloud refuses them, whether the authority's list could be
        written or not.

        @return: how many there are, with those that were revoked before.
        @raise AuthorityError: the authority's files can't be used.
        """
        if user_id is None and project_id is None:
            raise ValueError("neither a user nor a project")
        files = await self._database.run(certificates.revoke, user_id, project_id)
        if files:
            await self._in_thread(self._authority.revoke, files)
        return len(files)

    async def refresh(self, users: IUsers) -> None:
        """
        Write the lists of what is revoked anew, complete.

        What users or projects had that are not there any more is revoked; but if there is
        no user at all, or no project, they are looked for in the wrong place.

        @raise AuthorityError: the authority's files can't be used.
        """
        holders = await self._database.read(certificates.holders)
        # read after it: who comes now, and has a certificate at once, is no holder yet
        there = {each.id for each in await users.users()}
        projects = {each.id for each in await users.projects()}
        for user_id, project_id in holders:
            if there and projects and (user_id not in there or project_id not in projects):
                await self._database.run(certificates.revoke, user_id, project_id)
        files = await self._database.read(certificates.revoked)
        await self._in_thread(self._authority.refresh)
        await self._in_thread(self._authority.revoke, files)
