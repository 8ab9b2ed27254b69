"""What a project may have at once."""

from __future__ import annotations

from nova_tx.context import RequestContext
from nova_tx.db import quotas
from nova_tx.db.engine import Database
from nova_tx.db.quotas import Limits
from nova_tx.flags import QuotaFlags


class Quotas:
    """What a user may know of quotas."""

    def __init__(self, database: Database, flags: QuotaFlags) -> None:
        self._database = database
        self._flags = flags

    async def limits(self, context: RequestContext) -> Limits:
        """The quotas of the caller's project."""
        return await self._database.read(quotas.limits, context.project or "", self._flags)
