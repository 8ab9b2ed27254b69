"""Security groups: what a project lets into its instances."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from nova_tx.context import RequestContext
from nova_tx.db import security_groups
from nova_tx.db.engine import Database
from nova_tx.errors import SecurityGroupNotFound
from nova_tx.model.access import SecurityGroup
from nova_tx.operations.clock import moment


class SecurityGroups:
    """What a user may do with security groups."""

    def __init__(self, database: Database, clock: IReactorTime) -> None:
        self._database = database
        self._clock = clock

    async def listed(
        self, context: RequestContext, names: tuple[str, ...] = ()
    ) -> tuple[SecurityGroup, ...]:
        """
        The groups that the caller may see; the project's default group is made if need be.

        @raise SecurityGroupNotFound: there is none of one of the names.
        """
        try:
            found = await self._database.read(security_groups.listed, context, names)
        except SecurityGroupNotFound:
            if security_groups.DEFAULT not in names:
                raise
            found = ()
        wanted = (context.project, security_groups.DEFAULT)
        if names and security_groups.DEFAULT not in names:
            return found
        if any((group.project_id, group.name) == wanted for group in found):
            return found
        await self._database.run(security_groups.hold_default, context, moment(self._clock))
        return await self._database.read(security_groups.listed, context, names)
