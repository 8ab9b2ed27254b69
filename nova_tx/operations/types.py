"""Sizes of instances."""

from __future__ import annotations

from nova_tx.db import instance_types
from nova_tx.db.engine import Database
from nova_tx.model.instances import InstanceType


class Types:
    """What a user may know of sizes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def types(self) -> dict[str, InstanceType]:
        """Every size that can be had, by name."""
        return await self._database.read(instance_types.types)
